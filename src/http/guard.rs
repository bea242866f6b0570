//! The password of the private listener.
//!
//! Checking it takes a tenth of a second and some 20 MB on purpose, so it happens off the threads that serve others, one
//! check at a time, and the one that was right is remembered. Whoever tries too many wrong ones has to wait, and while they
//! do, a right one is not heard either: otherwise it could be told from the wrong ones by trying on.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::warn;

use super::answer::{self, Answer};
use super::caller::Peer;
use super::limits::{Limits, Rates, Spent};
use super::network::Network;
use crate::page::Language;

/// Wrong passwords that a client may try in a minute.
const TRIES: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
/// Longest password that is looked at.
const LONGEST: usize = 1024;
/// Most memory that checking may take, in KiB. What asks for more was hardly meant.
const MEMORY: u32 = 1 << 20;

/// The hash of a password, as the settings hold it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Arc<str>);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Password {
    /// Reads a hash in the PHC string format. `None` unless it is one by argon2id that can be checked here.
    pub fn read(text: &str) -> Option<Self> {
        let hash = PasswordHash::new(text).ok()?;
        let fits = Params::try_from(&hash).is_ok_and(|params| params.m_cost() <= MEMORY && params.t_cost() <= 100);
        let is_known = hash.version.is_none_or(|version| Version::try_from(version).is_ok());
        let is_whole = is_known && hash.salt.is_some() && hash.hash.is_some();
        (fits && is_whole && hash.algorithm == Algorithm::Argon2id.ident()).then(|| Self(text.into()))
    }

    /// The hash of `password` with a new salt. `None` if the system gives no random numbers.
    pub fn hash(password: &str) -> Option<String> {
        Argon2::default().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
    }

    fn is(&self, password: &[u8]) -> bool {
        let hash = PasswordHash::new(&self.0);
        hash.is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
    }
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No password, or a wrong one.
    Unauthorized,
    /// Too many wrong ones. This long, none is heard.
    Wait(Duration),
}

/// Lets in who knows the password.
pub(super) struct Guard {
    password: Password,
    /// What passwords are remembered by.
    key: [u8; 32],
    /// The password that was right.
    known: Mutex<Option<blake3::Hash>>,
    tries: Limits,
    /// Who has to wait, until when.
    waiting: Mutex<HashMap<Network, Instant>>,
    checking: Semaphore,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard(…)")
    }
}

impl Guard {
    pub(super) fn new(password: Password, secret: &[u8; 32]) -> Self {
        Self {
            password,
            key: blake3::derive_key("calferry 2026 known password", secret),
            known: Mutex::default(),
            tries: Limits::new(Rates { tokens: TRIES, requests: TRIES, wrong_tokens: TRIES }),
            waiting: Mutex::default(),
            checking: Semaphore::new(1),
        }
    }

    /// Whether `client` brings the password.
    ///
    /// # Errors
    /// Why it is not let in.
    pub(super) async fn admit(&self, client: Peer, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(given) = given(headers) else { return Err(Refusal::Unauthorized) };
        let digest = blake3::keyed_hash(&self.key, &given);
        if self.is_known(client, &digest)? {
            return Ok(());
        }
        let _place = self.checking.acquire().await.expect("the semaphore is never closed");
        // Another try of the same client, or of the same password, may have ended meanwhile.
        if self.is_known(client, &digest)? {
            return Ok(());
        }
        let password = self.password.clone();
        let right = tokio::task::spawn_blocking(move || password.is(&given)).await.unwrap_or(false);
        if right {
            *locked(&self.known) = Some(digest);
            return Ok(());
        }
        self.tries.sweep();
        warn!("a wrong password for the status page");
        if let Err(spent) = self.tries.wrong_token(client) {
            self.make_wait(spent);
        }
        Err(Refusal::Unauthorized)
    }

    fn is_known(&self, client: Peer, digest: &blake3::Hash) -> Result<bool, Refusal> {
        let now = Instant::now();
        let client = Network::of(client);
        let waiting = locked(&self.waiting);
        let until =
            [Some(client), client.site()].into_iter().flatten().filter_map(|who| waiting.get(&who)).max().copied();
        drop(waiting);
        if let Some(wait) = until.and_then(|until| until.checked_duration_since(now)).filter(|wait| !wait.is_zero()) {
            return Err(Refusal::Wait(wait));
        }
        // Compared in the same time whatever the difference.
        Ok(locked(&self.known).is_some_and(|known| known == *digest))
    }

    fn make_wait(&self, Spent { whose, wait }: Spent) {
        let now = Instant::now();
        let mut waiting = locked(&self.waiting);
        waiting.retain(|_, until| *until > now);
        waiting.insert(whose, now + wait);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The password that a request brings (RFC 7617). The user's name is of no interest.
fn given(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let mut credentials = STANDARD.decode(credentials.trim()).ok()?;
    let colon = credentials.iter().position(|byte| *byte == b':')?;
    let password = credentials.split_off(colon + 1);
    (password.len() <= LONGEST).then_some(password)
}

impl Refusal {
    /// What is said of it.
    pub(super) fn answer(self, language: Language) -> Answer {
        match self {
            Self::Unauthorized => {
                let mut answer = answer::said(StatusCode::UNAUTHORIZED, language, "password-needed");
                let challenge = HeaderValue::from_static("Basic realm=\"calferry\", charset=\"UTF-8\"");
                answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
                answer
            }
            Self::Wait(wait) => {
                answer::later(answer::said(StatusCode::TOO_MANY_REQUESTS, language, "password-wait"), wait)
            }
        }
    }
}

#[cfg(test)]
mod tests;
