//! Certificates from an authority that speaks ACME (RFC 8555), such as Let's Encrypt, by the check TLS-ALPN-01 (RFC 8737),
//! which needs no port but that of TLS itself.
//!
//! An authority gives only so many certificates a week and allows few failures an hour, so what matters most here is when
//! *not* to ask: every try is written down before it is made, and neither a restart nor a crash makes the next one come
//! earlier. Nothing waits for the authority: the program serves with the certificate it has, or turns clients away until
//! there is one.
//!
//! | file | holds |
//! |---|---|
//! | `keeper` | keeps a certificate in force: the only one that asks |
//! | `schedule` | when to ask. Pure |
//! | `account` | the account with the authority |
//! | `order` | one order, from the names to the certificate |
//! | `challenge` | what is shown when the authority checks a name |
//! | `issued` | from what is stored to what can be shown |
//! | `records` | the store, for calls that nothing cuts off |
//! | `client` | HTTPS to the authority, under deadlines |
//! | `trouble` | what went wrong, in words, and what to do |

mod account;
mod challenge;
mod client;
mod issued;
mod keeper;
mod order;
mod records;
mod schedule;
mod trouble;

use instant_acme::LetsEncrypt;

pub use keeper::{Keeper, Options, Unready};

/// The address of Let's Encrypt's directory.
pub const LETS_ENCRYPT: &str = LetsEncrypt::Production.url();
/// That of its staging environment: to try things out with, under far higher limits. Nobody trusts its certificates.
pub const LETS_ENCRYPT_STAGING: &str = LetsEncrypt::Staging.url();
