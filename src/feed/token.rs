//! Tokens: the unguessable part of a device's URL.
//!
//! A token is derived from the key of this installation, the feed, the device and a rotation count. So a URL can be
//! shown again, every machine that has the key agrees, and nothing needs to be stored. Tokens and the key have no
//! `Display`, and their `Debug` shows nothing.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The secret of one installation: 32 random bytes.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// A key from random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads what [`Key::to_text`] wrote. `None` if it is not a key.
    pub fn from_text(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text.trim()).ok()?.try_into().ok().map(Self)
    }

    /// The key as the key file holds it.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// The token of `device` of `feed`, after `rotation` rotations: 144 bits as 24 characters.
    pub fn token(&self, feed: &str, device: &str, rotation: u32) -> Token {
        let key = blake3::derive_key("calferry 2026 subscription token", &self.0);
        let mut hasher = blake3::Hasher::new_keyed(&key);
        for part in [feed, device] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        hasher.update(&rotation.to_le_bytes());
        let hash = hasher.finalize();
        Token(URL_SAFE_NO_PAD.encode(hash.as_bytes().get(..18).unwrap_or_default()))
    }

    /// The token of the route by which `calferry doctor` looks at the running program.
    pub fn probe_token(&self) -> Token {
        let secret = self.derive("calferry 2026 probe token");
        Token(URL_SAFE_NO_PAD.encode(secret.get(..18).unwrap_or_default()))
    }

    /// A name of this installation that may be shown.
    pub fn instance(&self) -> String {
        let name = self.derive("calferry 2026 instance name");
        URL_SAFE_NO_PAD.encode(name.get(..9).unwrap_or_default())
    }

    /// A key for naming things that must not be known by their content, such as source addresses in the store.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        blake3::derive_key(purpose, &self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// The unguessable part of a device's URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Fewest characters of a token that a user brings along; 22 hold 128 bits.
    pub const MIN: usize = 22;
    /// Most characters.
    pub const MAX: usize = 128;

    /// A token that the user brings along, to keep an old URL working. `None` unless it is 22 to 128 letters, digits,
    /// `-` or `_`.
    pub fn from_user(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = (Self::MIN..=Self::MAX).contains(&text.len());
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        (fits && plain).then(|| Self(text.to_owned()))
    }

    /// The token itself. Only for the URL that is shown to its owner, and for looking it up.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_part_of_a_devices_identity_changes_its_token() {
        let key = Key::new([7; 32]);
        let tokens: HashSet<_> = [
            key.token("me", "iphone", 0),
            key.token("me", "iphone", 1),
            key.token("me", "ipad", 0),
            key.token("mei", "phone", 0),
            key.token("", "meiphone", 0),
            Key::new([8; 32]).token("me", "iphone", 0),
        ]
        .map(|token| token.reveal().to_owned())
        .into();
        assert_eq!(tokens.len(), 6);
        assert!(tokens.iter().all(|token| token.len() == 24 && Token::from_user(token).is_some()));
        assert_eq!(key.token("me", "iphone", 0), key.token("me", "iphone", 0));
    }

    #[test]
    fn keys_and_tokens_cannot_be_printed() {
        let key = Key::new([7; 32]);
        let token = key.token("me", "iphone", 0);
        assert_eq!(format!("{key:?} {token:?}"), "Key(…) Token(…)");
        assert_eq!(Key::from_text(&key.to_text()).unwrap().token("me", "iphone", 0), token);
    }

    #[test]
    fn a_short_or_strange_token_of_ones_own_is_refused() {
        for refused in ["", "short", "with/slash/with/slash/with", "sp ace-sp-ace-sp-ace-sp-ace", &"x".repeat(129)] {
            assert!(Token::from_user(refused).is_none(), "{refused:?}");
        }
    }
}
