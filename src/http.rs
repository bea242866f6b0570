//! Everything that faces a client: listening, limits, routes, conditional answers, health.
//!
//! | file | holds |
//! |---|---|
//! | `listener` | where connections come from: addresses, Unix sockets, systemd's sockets |
//! | `server` | accepting connections, as many as there is room for, with or without TLS |
//! | `places` | how many connections there may be at once |
//! | `conversation` | one connection's requests, from its first byte to its last answer |
//! | `vigil` | deadlines of a connection: silent, slow, idle, stuck |
//! | `caller` | who is calling, and which proxies are believed |
//! | `cloudflare` | which addresses are Cloudflare's |
//! | `forwarded` | the way a request came, as proxies write it down. Pure |
//! | `network` | whom clients are told apart by. Pure |
//! | `limits` | how often who may call, and how many of them are remembered |
//! | `front` | the public routes: the life of a request, top to bottom |
//! | `route` | what a path asks for. Pure |
//! | `conditional` | is what the client holds still current. Pure |
//! | `negotiate` | which coding the client gets. Pure |
//! | `edge` | what a cache at the edge is told, if one may keep answers. Pure |
//! | `answer` | what goes out, header by header |
//! | `health` | how a feed is, for uptime monitors |
//! | `page` | the page that a browser gets |
//! | `probe` | what reaches this program, for `calferry doctor` |
//! | `admin` | the private routes: the status page, metrics and status |
//! | `guard` | the password of the private routes |
//! | `status_page` | the status page as an answer |
//! | `forms` | forms of the status page, and whether it was that page that asked |
//! | `metrics` | every metric, with its help text |
//! | `sparing` | counting each time, and saying it seldom |

mod admin;
mod answer;
mod caller;
mod cloudflare;
mod conditional;
mod conversation;
mod edge;
mod forms;
mod forwarded;
mod framing;
mod front;
mod gather;
mod guard;
mod health;
mod limits;
mod listener;
mod metrics;
mod negotiate;
mod network;
mod page;
mod places;
mod probe;
mod route;
mod server;
mod sparing;
mod status_page;
mod turns;
mod vigil;

pub use admin::Admin;
pub use caller::{Peer, TrustedProxies};
pub use cloudflare::CloudflareRanges;
pub use edge::EdgeCache;
pub use front::{Directory, Front, FrontOptions};
pub use guard::Password;
pub use limits::Rates;
pub use listener::{Handed, Listen, Listener};
pub use metrics::Metrics;
pub use places::Places;
pub use probe::{Encrypted, Place, Probe, Probed};
pub use server::{Clients, Patience, Routes, Server};
