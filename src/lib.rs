//! calferry carries a calendar from where it can be fetched to the phone that cannot fetch it.
//!
//! A **source** is an upstream calendar; its last good copy is a **snapshot**. A **feed** shows one source or several to
//! its **devices**, each of which has a URL with a **token** of its own; **rules** say what it leaves out and changes. One
//! published version of a feed is an **edition**.
//!
//! # The rooms
//!
//! Read from top to bottom they are layers: a room uses rooms above it and never one below, and a test refuses an import
//! that runs the other way.
//!
//! | room | holds |
//! |---|---|
//! | [`calendar`] | iCalendar text as spans of its bytes; what is always mended; times, zones, recurrence. Pure |
//! | [`feed`] | rules, merging, publishing, editions, tokens, the catalog. Pure |
//! | [`agenda`] | what of an edition takes place on some days, on the clocks of a time zone. Pure |
//! | [`clock`] | time, for those who may know it |
//! | [`source`] | fetching: addresses, connections, what went wrong |
//! | [`store`] | snapshots and publication times on disk |
//! | [`refresh`] | when to fetch, and what to do with the answer |
//! | [`publisher`] | a feed's current edition, from the cache or made now |
//! | [`qr`] | QR codes of URLs, for terminals and as pictures |
//! | [`language`] | the languages that the program speaks |
//! | [`page`] | the page that a browser gets: how to subscribe, and what takes place on the days ahead |
//! | [`status`] | how every source and feed stands, for the person with the server |
//! | [`tls`] | the certificates in force, and the handshake |
//! | [`acme`] | certificates from an authority: when to ask for one, and how |
//! | [`http`] | listening, limits, routes, conditional answers, health |
//! | [`settings`] | what the user wrote, and what it means |
//! | [`doctor`] | looks at the deployment from outside in, and says what is wrong |
//! | [`app`] | builds all of it and owns every task |
//! | [`cli`] | the commands |
//!
//! # The life of a request
//!
//! `http::listener` accepts, `http::server` encrypts and watches the connection → `http::front` sees who calls, that it
//! can be read in one way only, and finds the token in the catalog → `publisher` hands out the edition →
//! `http::conditional` and `negotiate` decide between 304 and which coding → `http::answer` writes the headers. No step
//! waits for an upstream while there is a copy.
//!
//! # The life of a refresh
//!
//! `refresh::driver` finds an upstream due → `hosts` says by which way its host may be asked → `source::client` fetches →
//! `judge` mends the answer and holds it against the copy → the store takes it, or it is kept aside, or the copy is
//! confirmed → `record` tells the log and sets the next time → the publisher makes the editions that are being read.
//!
//! # The life of an event
//!
//! `feed::publish` puts the time zones of all copies in order → `series` takes a calendar's events one by one: the window
//! leaves most out, `rule` judges the others, each by itself, and notes what is to be different in a draft → events of one
//! series are settled together: what is left out of it leaves a gap, what hides its master hides its instances →
//! `merge` settles what several sources have → the drafts are carried out as edits of single lines, and the text is
//! copied once around them.
//!
//! # What differs from the usual
//!
//! Settings are taken key by key from tables, not deserialised into a struct: only so can every problem be told at once.
//! Conditions of rules look at an event as its source sent it, whatever earlier rules made of it: the order of rules never
//! changes what a condition means. Recurrence is followed in the time of the master's own clocks, so that no zone can
//! make an instance appear twice or not at all. What is stored is the mended text, not the answer: equal texts are equal answers, and an event that does not say when
//! it was changed keeps the time at which it was first seen.

pub mod acme;
pub mod agenda;
pub mod app;
pub mod calendar;
pub mod cli;
pub mod clock;
pub mod doctor;
pub mod feed;
pub mod http;
pub mod language;
pub mod page;
pub mod publisher;
pub mod qr;
pub mod refresh;
pub mod settings;
pub mod source;
pub mod status;
pub mod store;
pub mod tls;
