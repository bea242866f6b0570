//! Every feed and token in force. Built whole from the settings and swapped whole on reload, so a request sees the old
//! one or the new one and never a mixture.

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use super::publish::Recipe;
use super::token::Token;

/// A feed: what it shows, and where it comes from.
#[derive(Debug, Clone)]
pub struct Feed {
    /// Its name in the settings.
    pub id: Arc<str>,
    /// How it is made of its sources.
    pub recipe: Recipe,
    /// The names of its sources in the settings, in their order.
    pub sources: Box<[Arc<str>]>,
}

/// What a text in the place of a token is known by: a keyed hash, which says nothing about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenName([u8; 16]);

/// What a token leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a, T> {
    /// A device of this feed, and what its token is known by.
    Feed(&'a T, TokenName),
    /// A device that was revoked, or a token that was replaced by a newer one.
    Revoked,
    /// Nothing: never given out, or not even of a token's form.
    Unknown,
}

/// Tokens and where they lead. `T` is whatever the server keeps for a feed.
#[derive(Debug)]
pub struct Catalog<T> {
    lookup_key: [u8; 32],
    // Names are halves of keyed digests, which spread by themselves.
    tokens: HashMap<TokenName, Lead<T>, FxBuildHasher>,
}

/// Where a token leads.
#[derive(Debug)]
enum Lead<T> {
    /// To a feed.
    Feed(Arc<T>),
    /// To a feed for now; it is gone from this second since 1970 on.
    Until(u64, Arc<T>),
    /// Nowhere any more.
    Gone,
}

impl<T> Catalog<T> {
    /// An empty catalog. `lookup_key` keeps the table's order, and so the time of a look-up, from saying anything
    /// about the tokens in it.
    pub fn new(lookup_key: [u8; 32]) -> Self {
        Self { lookup_key, tokens: HashMap::default() }
    }

    /// Lets `token` lead to `feed`.
    pub fn admit(&mut self, token: &Token, feed: Arc<T>) {
        self.tokens.insert(self.name(token.reveal()), Lead::Feed(feed));
    }

    /// Lets `token`, which was replaced by a newer one, lead to `feed` until `end`, in seconds since 1970, and be gone
    /// from then on.
    pub fn admit_until(&mut self, token: &Token, feed: Arc<T>, end: u64) {
        self.tokens.insert(self.name(token.reveal()), Lead::Until(end, feed));
    }

    /// Lets `token` answer that it is gone, unless it leads somewhere.
    pub fn revoke(&mut self, token: &Token) {
        self.tokens.entry(self.name(token.reveal())).or_insert(Lead::Gone);
    }

    /// Where `presented`, the text in a request's path, leads at `now`, in seconds since 1970. Does the same work whatever `presented` is.
    pub fn find(&self, presented: &str, now: u64) -> Found<'_, T> {
        // A text longer than any token is looked up by a piece that cannot be one.
        let presented = if presented.len() > Token::MAX { "" } else { presented };
        let name = self.name(presented);
        match self.tokens.get(&name) {
            Some(Lead::Feed(feed)) => Found::Feed(feed, name),
            Some(Lead::Until(end, feed)) if now < *end => Found::Feed(feed, name),
            Some(Lead::Until(..) | Lead::Gone) => Found::Revoked,
            None => Found::Unknown,
        }
    }

    /// How many devices have a URL. One that was replaced and still works is no other device.
    pub fn devices(&self) -> usize {
        self.tokens.values().filter(|lead| matches!(lead, Lead::Feed(_))).count()
    }

    fn name(&self, token: &str) -> TokenName {
        let hash = blake3::keyed_hash(&self.lookup_key, token.as_bytes());
        let mut name = [0; 16];
        name.copy_from_slice(hash.as_bytes().split_at(16).0);
        TokenName(name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::token::Key;
    use super::*;

    /// So the time of a look-up says nothing to somebody who can compute the hashes of their guesses.
    #[test]
    fn what_a_token_is_known_by_depends_on_the_installation() {
        let token = Key::new([1; 32]).token("me", "iphone", 0);
        let names = [[1; 32], [2; 32]].map(|key| Catalog::<()>::new(key).name(token.reveal()));
        assert_ne!(names[0], names[1]);
    }

    #[test]
    fn a_token_leads_to_its_feed_and_a_revoked_one_is_gone() {
        let key = Key::new([1; 32]);
        let mut catalog = Catalog::new([2; 32]);
        catalog.admit(&key.token("me", "iphone", 1), Arc::new("me"));
        catalog.revoke(&key.token("me", "iphone", 0));
        catalog.revoke(&key.token("me", "iphone", 1));
        assert!(matches!(catalog.find(key.token("me", "iphone", 1).reveal(), 0), Found::Feed(&"me", _)));
        assert_eq!(catalog.find(key.token("me", "iphone", 0).reveal(), 0), Found::Revoked);
        for unknown in ["", "x", key.token("me", "ipad", 0).reveal(), &"x".repeat(10_000)] {
            assert_eq!(catalog.find(unknown, 0), Found::Unknown);
        }
    }

    #[test]
    fn a_replaced_token_leads_to_its_feed_until_its_end_and_is_gone_then() {
        let key = Key::new([1; 32]);
        let mut catalog = Catalog::new([2; 32]);
        let (old, new) = (key.token("me", "iphone", 0), key.token("me", "iphone", 1));
        catalog.admit(&new, Arc::new("me"));
        catalog.admit_until(&old, Arc::new("me"), 100);
        catalog.revoke(&old);
        assert!(matches!(catalog.find(old.reveal(), 99), Found::Feed(&"me", _)));
        assert_eq!(catalog.find(old.reveal(), 100), Found::Revoked);
        assert!(matches!(catalog.find(new.reveal(), 100), Found::Feed(&"me", _)));
        assert_eq!(catalog.devices(), 1);
    }
}
