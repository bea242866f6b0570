//! TLS of the listeners: which certificate is in force, and how a handshake is made. Where certificates come from is not
//! known here: files are read by [`app`](crate::app), orders are made by an ACME client.

mod certificates;

pub use certificates::Certificates;
