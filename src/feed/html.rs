//! A DESCRIPTION in HTML as plain text.
//!
//! A tag stripper of our own, because html2text, the best of the libraries, gives the wrong text here: it takes the
//! line breaks that Google leaves inside HTML for spaces, drops `<wei@example.com>` and the end of `List<String>` as
//! unknown tags, and its parser takes 40 s for 100,000 nested `<div>`. This one keeps what is no known tag, has no tree
//! and so no depth, and reads every byte a constant number of times.
//!
//! Entities are left to html-escape, which has the whole table of them.

use memchr::{memchr, memmem};

/// Tags of which one says: this is HTML. Nobody writes them in prose.
#[rustfmt::skip]
const TELLING: [&str; 22] = [
    "br", "p", "div", "ul", "ol", "li", "html", "body", "table", "tr", "td", "th", "hr", "h1", "h2", "h3", "h4", "h5",
    "h6", "blockquote", "html-blob", "pre",
];
/// Tags that say so in a pair: one alone may be a word in angle brackets, such as `vector<i>`.
const PAIRS: [&str; 9] = ["a", "b", "i", "u", "s", "em", "strong", "span", "font"];
/// Further tags that begin a line.
const BLOCKS: [&str; 11] =
    ["dl", "dt", "dd", "center", "form", "section", "header", "footer", "nav", "main", "caption"];
/// Further tags that are taken out of what is HTML.
const INLINE: [&str; 28] = [
    "abbr", "big", "cite", "code", "col", "colgroup", "del", "head", "img", "input", "ins", "label", "link", "mark",
    "meta", "o:p", "q", "script", "small", "strike", "style", "sub", "sup", "tbody", "thead", "title", "tt", "wbr",
];
/// Tags whose content is not text.
const UNREAD: [&str; 4] = ["script", "style", "title", "head"];

/// A tag: `<name …>` or `</name …>`.
struct Tag<'a> {
    /// As it stands in the lists above.
    name: &'static str,
    closes: bool,
    attributes: &'a str,
    /// How long it is, brackets included.
    length: usize,
}

impl<'a> Tag<'a> {
    /// The tag that `text` begins with, if it is a known one. A `<` ends the look-out for its end, also in quotes, so
    /// that no text is read twice.
    fn at(text: &'a str) -> Option<Self> {
        let inner = text.strip_prefix('<')?;
        let (closes, inner) = inner.strip_prefix('/').map_or((false, inner), |inner| (true, inner));
        let in_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':');
        let (name, rest) =
            inner.split_at_checked(inner.bytes().position(|byte| !in_name(byte)).filter(|&at| at > 0)?)?;
        let mut known = TELLING.iter().chain(&PAIRS).chain(&BLOCKS).chain(&INLINE);
        let name = known.find(|known| known.eq_ignore_ascii_case(name))?;
        let mut quote = None;
        let end = rest.bytes().position(|byte| {
            match (quote, byte) {
                (None, b'"' | b'\'') => quote = Some(byte),
                (Some(open), _) if open == byte => quote = None,
                _ => {}
            }
            byte == b'<' || (byte == b'>' && quote.is_none())
        })?;
        let (attributes, behind) = rest.split_at_checked(end)?;
        // `<b and c>` and `<p = 3>` are prose: behind the name of a tag stand other names, one with its value.
        let plausible = attributes.split_once('=').map_or(matches!(attributes.trim(), "" | "/"), |(names, _)| {
            names.starts_with(|first: char| first.is_ascii_whitespace() || first == '/')
                && names.ends_with(|last: char| last.is_ascii_alphanumeric())
                && names.bytes().all(|byte| in_name(byte) || byte.is_ascii_whitespace() || byte == b'/')
        });
        let length = text.len() - behind.len() + 1;
        (behind.starts_with('>') && plausible).then_some(Self { name, closes, attributes, length })
    }

    /// The address that a link leads to, as it is written.
    fn href(&self) -> Option<&'a str> {
        let mut rest = self.attributes;
        while let Some((names, value)) = rest.split_once('=') {
            let value = value.trim_start();
            let (value, behind) = match value.chars().next()? {
                quote @ ('"' | '\'') => value.get(1..)?.split_once(quote)?,
                _ => value.split_once(|char: char| char.is_ascii_whitespace()).unwrap_or((value, "")),
            };
            if names.split_ascii_whitespace().next_back().is_some_and(|name| name.eq_ignore_ascii_case("href")) {
                return Some(value);
            }
            rest = behind;
        }
        None
    }
}

/// The known tags of `text`.
fn tags(text: &str) -> impl Iterator<Item = Tag<'_>> {
    memchr::memchr_iter(b'<', text.as_bytes()).filter_map(|at| Tag::at(text.get(at..)?))
}

/// Whether `text` is HTML, and not prose with `<` and `>` in it.
pub(super) fn is_html(text: &str) -> bool {
    let mut open = Vec::new();
    tags(text).any(|tag| {
        let half = PAIRS.contains(&tag.name) && (tag.closes || tag.name != "a" || tag.href().is_some());
        if half && !tag.closes && !open.contains(&tag.name) {
            open.push(tag.name);
        }
        TELLING.contains(&tag.name) || (half && tag.closes && open.contains(&tag.name))
    })
}

/// A DESCRIPTION as plain text if it is HTML, else `None`. Links keep their address: `text <https://…>`, or only the
/// address if that is the text. Blocks of Google Meet come through byte for byte, because iOS compares their bars.
pub(crate) fn html_to_text(text: &str) -> Option<String> {
    // Most descriptions are not HTML.
    memchr(b'<', text.as_bytes())?;
    let (mut prose, mut blocks, mut rest) = (Vec::new(), Vec::new(), text);
    while let Some(block) = super::meeting::meet_block(rest) {
        prose.push(rest.get(..block.start)?);
        blocks.push(rest.get(block.clone())?);
        rest = rest.get(block.end..)?;
    }
    prose.push(rest);
    if !prose.iter().any(|prose| is_html(prose)) {
        return None;
    }
    let blocks = blocks.into_iter().map(str::to_owned).chain([String::new()]);
    let parts = prose.into_iter().map(to_text).zip(blocks).flat_map(<[String; 2]>::from);
    Some(parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n"))
}

fn to_text(html: &str) -> String {
    // A whole document is source text, whose line breaks are spaces. Google's HTML is text with a few tags in it.
    let document = tags(html).any(|tag| matches!(tag.name, "html" | "body"));
    let mut page = Page { breaks_are_spaces: document, ..Page::default() };
    let mut endless = Vec::new();
    let mut rest = html;
    while let Some(at) = memchr(b'<', rest.as_bytes()) {
        let (prose, found) = rest.split_at(at);
        page.prose(prose);
        let tag = Tag::at(found);
        if let Some(tag) = &tag {
            page.tag(tag);
        }
        let length = unread(tag.as_ref(), found, &mut endless);
        if length == 0 {
            page.prose("<");
        }
        rest = found.get(length.max(1)..).unwrap_or_default();
    }
    page.prose(rest);
    page.end_link();
    page.out
}

/// How much of `rest`, which begins with `<`, is not text: its `tag`, and what is hidden behind it, or a comment or
/// declaration. What never ends is text, and `endless` remembers it, so that nothing is looked for twice in vain.
fn unread(tag: Option<&Tag>, rest: &str, endless: &mut Vec<&'static str>) -> usize {
    let length = tag.map_or(0, |tag| tag.length);
    let (end, name) = match (tag, rest.as_bytes()) {
        (Some(tag), _) if !tag.closes && UNREAD.contains(&tag.name) => ("</", tag.name),
        (None, [_, b'!', b'-', b'-', ..]) => ("-->", "--"),
        (None, [_, b'!', b'd' | b'D' | b'[', ..]) => (">", ""),
        _ => return length,
    };
    if endless.contains(&name) {
        return length;
    }
    let inner = rest.get(length..).unwrap_or_default();
    let named = |at: &usize| inner.get(at + 2..at + 2 + name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name));
    let found = memmem::find_iter(inner.as_bytes(), end).find(|at| tag.is_none() || named(at));
    if found.is_none() {
        endless.push(name);
    }
    found.map_or(length, |at| length + at + if tag.is_none() { end.len() } else { 0 })
}

/// Plain text in the making. Line breaks are owed, not written, until there is text behind them.
#[derive(Default)]
struct Page {
    out: String,
    /// Line breaks owed before the next text.
    breaks: usize,
    /// Whether a space is owed.
    space: bool,
    /// What stands in front of the next text: the mark of a list item, or what divides two cells.
    mark: &'static str,
    /// How deep in lists.
    depth: usize,
    /// Whether the last tag began a line, so that a line break behind it says nothing new.
    fresh: bool,
    breaks_are_spaces: bool,
    /// The address of the link that is open, and where its text begins.
    link: Option<(String, usize)>,
}

impl Page {
    fn tag(&mut self, tag: &Tag) {
        match tag.name {
            "br" => (self.breaks, self.fresh) = (self.breaks + 1, true),
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "blockquote" => self.block(2),
            "ul" | "ol" => {
                self.block(1);
                self.depth = if tag.closes { self.depth.saturating_sub(1) } else { self.depth + 1 };
            }
            "li" => {
                self.mark = "";
                self.block(1);
                self.mark = if tag.closes { "" } else { "- " };
            }
            "td" | "th" => self.mark = if tag.closes { self.mark } else { " | " },
            "hr" => {
                self.block(1);
                self.line("---");
                self.block(1);
            }
            "a" => {
                self.end_link();
                let address = tag.href().filter(|_| !tag.closes).map(html_escape::decode_html_entities);
                self.link = address.map(|address| (address.trim().to_owned(), self.out.len()));
            }
            name if TELLING.contains(&name) || BLOCKS.contains(&name) => self.block(1),
            _ => {}
        }
    }

    /// The next text stands `breaks` line breaks below, unless it is the first of its list item.
    fn block(&mut self, breaks: usize) {
        if self.mark != "- " {
            self.breaks = self.breaks.max(breaks);
            self.mark = "";
        }
        self.fresh = true;
    }

    fn prose(&mut self, prose: &str) {
        for line in html_escape::decode_html_entities(prose).split_inclusive('\n') {
            self.line(line);
            let ends = line.ends_with('\n');
            if ends && (self.breaks_are_spaces || self.fresh) {
                self.space = true;
                self.fresh = false;
            } else if ends {
                self.breaks += 1;
            }
        }
    }

    fn line(&mut self, line: &str) {
        for char in line.chars() {
            match char {
                ' ' | '\t' | '\r' | '\u{b}' | '\u{c}' | '\u{a0}' => self.space = true,
                '\u{2028}' | '\u{2029}' | '\u{85}' => self.breaks += 1,
                // Editors put these where a line may be broken.
                '\u{200b}' | '\u{feff}' => {}
                char if char.is_control() => {}
                char => {
                    self.pay();
                    self.out.push(char);
                }
            }
        }
    }

    /// Writes what is owed.
    fn pay(&mut self) {
        let begins = self.out.is_empty() || self.breaks > 0;
        if !self.out.is_empty() {
            // Two blank lines at most.
            self.out.push_str("\n\n\n".get(..self.breaks).unwrap_or("\n\n\n"));
        }
        if self.mark == "- " {
            let indent = if self.out.is_empty() { 0 } else { self.depth.saturating_sub(1).min(8) };
            self.out.push_str(&"  ".repeat(indent));
            self.out.push_str(self.mark);
        } else if !self.mark.is_empty() && !begins {
            self.out.push_str(self.mark);
        } else if self.space && !begins {
            self.out.push(' ');
        }
        (self.breaks, self.space, self.fresh, self.mark) = (0, false, false, "");
    }

    /// Puts the address of the open link behind its text.
    fn end_link(&mut self) {
        let Some((address, from)) = self.link.take() else { return };
        let address = super::meeting::behind_google(&address).unwrap_or(address);
        let address: String = address.chars().filter(|char| !char.is_control()).collect();
        // What leads to a place inside a page, or runs there, leads nowhere from a calendar.
        let address = match address.split_once(':') {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("mailto") => rest,
            Some((scheme, _)) if ["http", "https", "tel"].iter().any(|it| scheme.eq_ignore_ascii_case(it)) => &address,
            _ => return,
        };
        let text = self.out.get(from..).unwrap_or_default().trim_start();
        let bare = |address: &str| {
            let without_scheme = address.split_once("://").map_or(address, |(_, rest)| rest);
            without_scheme.trim_end().trim_end_matches('/').to_ascii_lowercase()
        };
        if !text.is_empty() && text.len() <= address.len() + 8 && bare(text) == bare(address) {
            self.out.truncate(self.out.len() - text.len());
            self.out.push_str(address);
        } else if !text.is_empty() {
            self.out.push_str(&format!(" <{address}>"));
        } else if !address.is_empty() {
            self.pay();
            self.out.push_str(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    #[rustfmt::skip]
    fn html_becomes_the_text_that_it_shows() {
        for (html, text) in [
            ("One\nTwo<br>x <a href=\"https://a.b/?d=1&amp;e=2\">link</a>\n\nlast", "One\nTwo\nx link <https://a.b/?d=1&e=2>\n\nlast"),
            ("<a href='https://zoom.us/j/1'>https://zoom.us/j/1</a> end", "https://zoom.us/j/1 end"),
            ("<a target=_blank href=\"https://X.y/\">x.y</a>", "https://X.y/"), ("<a href=\"#top\">t</a>", "t"),
            ("<a href=mailto:li@x.y>li@x.y</a><br><a href=\"mailto:li@x.y\">Li</a>", "li@x.y\nLi <li@x.y>"),
            ("<a href=\"https://www.google.com/url?q=https://x.y/u&amp;sa=D\">https://x.y/u</a>", "https://x.y/u"),
            ("<a href=\"https://x.y/i\"><img src=x.png></a> z", "https://x.y/i z"), ("<a href=\"javascript:x()\">y</a>", "y"),
            ("a<a href=\"https://x.y\">b\u{3000}</a>c", "ab\u{3000} <https://x.y>c"), ("<i>a</i><br/>\nb<BR />c", "a\nb\nc"),
            ("a<br><br>b<br><br><br><br>\n\n<p>c", "a\n\nb\n\n\nc"), ("<p>a</p>\n<p>b</p>", "a\n\nb"), ("<p>a<br></p>b", "a\n\nb"),
            ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"), ("x<hr>y<h2>T</h2>z", "x\n---\ny\n\nT\n\nz"),
            ("x<ul><li>a</li>\n<li>b<ul><li>c</li></ul></li><li><p>d</p></li></ul>", "x\n- a\n- b\n  - c\n- d"),
            ("<html><head><title>T</title></head><body>\n<p>one\n  two</p>\n</body></html>", "one two"),
            ("<style>p{}</style><script>\"<b>\"</script><b>x</b>", "x"), ("<style>left open <b>x</b>", "left open x"),
            ("<!DOCTYPE html><!-- c --><![if !mso]><b>x</b><o:p></o:p><!-- open", "x<!-- open"),
            ("<b>List<String> &amp; Li <wei@x.y> &lt;b&gt;&nbsp;&eacute;&#8217;\u{7}\u{85}&amp;lt;</b>", "List<String> & Li <wei@x.y> <b> é’\n&lt;"),
            ("<table><tr><td>A</td><td nowrap width=3>B</td></tr><tr><td></td><td>C</td></tr></table>", "A | B\nC"),
            ("会议<br>点击<a href=\"https://meeting.tencent.com/dm/a\">入会</a>。", "会议\n点击入会 <https://meeting.tencent.com/dm/a>。"),
            ("<html-blob>x <wbr>y</html-blob>", "x y"), ("<span style=\"a>b\" title='<'>x</span><br>", "<span style=\"a>b\" title='<'>x"),
        ] {
            assert_eq!(html_to_text(html).as_deref(), Some(text), "{html}");
        }
    }

    #[test]
    #[rustfmt::skip]
    fn prose_with_angle_brackets_is_left_alone() {
        for prose in [
            "", "a < b and c > d", "<https://x.y>", "List<String>", "Li Wei <wei@example.com>", "Li <li@x.y>", "vector<i> x",
            "a <p = 3> b", "a<b>c", "<b and c> </b>", "x &amp; y", "<a>x</a>", "<title>", "</b><b>", "<br", "<", "<p x=\"",
        ] {
            assert_eq!(html_to_text(prose), None, "{prose}");
        }
    }

    #[test]
    fn a_meet_block_comes_through_byte_for_byte() {
        let bar = format!("-::~:~::{}~:~::~:~::-", "~:".repeat(30));
        let block = format!("{bar}\nJoin  with <b>Google</b> Meet:\r\n {bar}");
        assert_eq!(html_to_text(&format!("x\n{block}\ny")), None);
        let text = html_to_text(&format!("<b>x</b><br>{block}\n<i>y</i>")).unwrap();
        assert_eq!(text, format!("x\n\n{block}\n\ny"));
    }

    #[test]
    fn nesting_costs_neither_stack_nor_time() {
        for tag in ["<div>", "<ul><li>", "<a href=\"x\">", "<b", "<!--", "<style>", "<a href='", "&", "<table><td>"] {
            let text = html_to_text(&format!("<br>{}x", tag.repeat(100_000))).unwrap();
            assert!(text.ends_with('x') && text.len() < 1_000_000, "{tag}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_what_comes_out_is_tidy(
            parts in prop::collection::vec(prop_oneof!["\\PC{0,4}", any::<String>(), prop::sample::select(
                "<br> <p> <li> </li> <ul> <td> <hr> <b> </b> <a\u{a0}href=\"https://x.y\"> </a> <style> </style> <!-- --> < > &#3; \n \r & ="
                    .split(' ').collect::<Vec<_>>()).prop_map(|part| part.replace('\u{a0}', " "))], 0..30)
        ) {
            let Some(text) = html_to_text(&parts.concat()) else { return Ok(()) };
            prop_assert!(!text.contains("\n\n\n\n") && text.trim_matches([' ', '\n', '\t']) == text, "{:?}", text);
            prop_assert!(!text.contains(|char: char| char.is_control() && char != '\n'), "{:?}", text);
        }
    }
}
