//! What comes out differently, and writing it. Whatever no edit names is copied byte for byte.

use std::cmp::Reverse;
use std::ops::Range;

/// What stands in the place of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patch {
    /// Nothing: the span is left out.
    Drop,
    /// A CRLF line end.
    LineEnd,
    /// Another span of the same text.
    Copy(Range<usize>),
    /// New bytes.
    Text(Vec<u8>),
}

/// Replacements in one text.
#[derive(Debug, Default)]
pub struct Edits {
    edits: Vec<(Range<usize>, Patch)>,
}

impl Edits {
    /// With room for so many.
    pub fn with_capacity(edits: usize) -> Self {
        Self { edits: Vec::with_capacity(edits) }
    }

    /// Replaces `span` with `patch`. An empty span is an insertion. Spans must not overlap; a span inside one that is
    /// dropped is ignored.
    pub fn replace(&mut self, span: Range<usize>, patch: Patch) {
        self.edits.push((span, patch));
    }

    /// Inserts `text` before the byte at `at`.
    pub fn insert(&mut self, at: usize, text: Vec<u8>) {
        self.replace(at..at, Patch::Text(text));
    }

    /// Leaves `span` out.
    pub fn drop(&mut self, span: Range<usize>) {
        self.replace(span, Patch::Drop);
    }

    /// Nothing comes out differently.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// The text with every edit made, in one allocation of the right size.
    pub fn apply(self, text: &[u8]) -> Vec<u8> {
        self.apply_within(text, 0..text.len())
    }

    /// What is `span` of the text, with every edit made. No edit may lie outside.
    pub fn apply_within(mut self, text: &[u8], span: Range<usize>) -> Vec<u8> {
        // Almost sorted already. At one place insertions come first, then the widest span.
        self.edits.sort_by_key(|(span, _)| (span.start, !span.is_empty(), Reverse(span.end)));
        let longer: usize = self.edits.iter().map(|(_, patch)| patch.bytes(text).len()).sum();
        let mut out = Vec::with_capacity(span.len() + longer);
        let mut copied = span.start;
        for (replaced, patch) in &self.edits {
            if replaced.start < copied {
                continue;
            }
            out.extend_from_slice(text.get(copied..replaced.start).unwrap_or_default());
            out.extend_from_slice(patch.bytes(text));
            copied = replaced.end;
        }
        out.extend_from_slice(text.get(copied..span.end).unwrap_or_default());
        out
    }
}

impl Patch {
    pub(super) fn bytes<'a>(&'a self, text: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Drop => b"",
            Self::LineEnd => b"\r\n",
            Self::Copy(span) => text.get(span.clone()).unwrap_or_default(),
            Self::Text(bytes) => bytes,
        }
    }
}
