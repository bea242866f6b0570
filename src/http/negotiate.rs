//! Which coding the client gets (RFC 9110 §12.5.3).

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

use crate::feed::{Coding, Edition};

/// The coding the client likes best, and among those it likes alike the one with the smallest body. A client that says
/// nothing gets the text as it is.
pub(super) fn coding(headers: &HeaderMap, edition: &Edition) -> Coding {
    Likes::of(headers).best(|coding| edition.len(coding))
}

/// The same for a page, which is compressed for the asking: of codings that are liked alike, brotli makes it smallest.
pub(super) fn coding_of_page(headers: &HeaderMap) -> Coding {
    const SMALLEST_FIRST: [Coding; 4] = [Coding::Brotli, Coding::Zstd, Coding::Gzip, Coding::Identity];
    let place = |coding| SMALLEST_FIRST.iter().position(|one| *one == coding).unwrap_or(usize::MAX);
    Likes::of(headers).best(place)
}

/// Weights in thousandths, as the header has them.
#[derive(Default)]
struct Likes {
    named: [Option<u16>; 4],
    any: Option<u16>,
}

impl Likes {
    fn of(headers: &HeaderMap) -> Self {
        let mut likes = Self::default();
        for value in headers.get_all(ACCEPT_ENCODING) {
            for item in value.as_bytes().split(|byte| *byte == b',') {
                likes.read(item);
            }
        }
        likes
    }

    fn best(&self, size: impl Fn(Coding) -> usize) -> Coding {
        let acceptable = Coding::ALL.into_iter().filter(|coding| self.weight(*coding) > 0);
        let best = acceptable.max_by_key(|coding| (self.weight(*coding), std::cmp::Reverse(size(*coding))));
        best.unwrap_or(Coding::Identity)
    }

    fn read(&mut self, item: &[u8]) {
        let mut parts = item.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix(b"q=").or_else(|| part.strip_prefix(b"Q=")));
        let weight = weight.map_or(1000, thousandths);
        if name == b"*" {
            self.any = Some(weight);
        }
        for (coding, named) in Coding::ALL.iter().zip(&mut self.named) {
            if name.eq_ignore_ascii_case(coding.as_str().as_bytes()) {
                *named = Some(weight);
            }
        }
    }

    fn weight(&self, coding: Coding) -> u16 {
        let position = Coding::ALL.iter().position(|other| *other == coding);
        let named = position.and_then(|position| *self.named.get(position)?);
        match coding {
            // Always acceptable unless it is refused, and least liked unless it is named.
            Coding::Identity => named.or(self.any.filter(|any| *any == 0)).unwrap_or(1),
            _ => named.or(self.any).unwrap_or(0),
        }
    }
}

/// `0.5` → 500; what is no number counts as 1.
fn thousandths(text: &[u8]) -> u16 {
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f32>().ok());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1000")]
    parsed.map_or(1000, |weight| (weight.clamp(0.0, 1.0) * 1000.0) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_gets_the_smallest_body_of_those_it_likes_best() {
        let text: Vec<u8> = (0..3000).flat_map(|at: u32| format!("SUMMARY:{}\r\n", at % 97).into_bytes()).collect();
        let edition = Edition::new(&text).unwrap();
        let smallest = |codings: &[Coding]| *codings.iter().min_by_key(|coding| edition.len(**coding)).unwrap();
        let all = [Coding::Zstd, Coding::Brotli, Coding::Gzip];
        let cases = [
            (None, Coding::Identity),
            (Some("gzip, deflate"), Coding::Gzip),
            (Some("gzip;q=1.0, identity; q=0.5, *;q=0"), Coding::Gzip),
            (Some("br, gzip"), smallest(&all[1..])),
            (Some("gzip, deflate, br, zstd"), smallest(&all)),
            (Some("*"), smallest(&all)),
            (Some("br;q=0.5, gzip;q=0.9"), Coding::Gzip),
            (Some("identity"), Coding::Identity),
            (Some("deflate"), Coding::Identity),
            (Some("GZIP"), Coding::Gzip),
            (Some("gzip;q=0"), Coding::Identity),
            (Some("identity;q=0"), Coding::Identity),
            (Some("identity;q=0, gzip"), Coding::Gzip),
            (Some(""), Coding::Identity),
            (Some(";;;,,,q=1"), Coding::Identity),
        ];
        for (value, expected) in cases {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(ACCEPT_ENCODING, value.parse().unwrap());
            }
            assert_eq!(coding(&headers, &edition), expected, "{value:?}");
        }
    }
}
