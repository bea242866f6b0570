//! Text with places in it: `📹 {summary}`.

use super::field::Field;

/// A text to be filled in. `{summary}` stands for the property's present text, `{source}` for the source's name; `{{` and
/// `}}` for braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
    Source,
}

impl Template {
    /// Reads `text`.
    ///
    /// # Errors
    /// In words, what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            plain.push_str(before);
            if let Some(behind) = brace.strip_prefix("{{").or_else(|| brace.strip_prefix("}}")) {
                plain.push_str(brace.get(..1).unwrap_or_default());
                rest = behind;
                continue;
            }
            let position = text.len() - brace.len() + 1;
            let (name, behind) = brace.strip_prefix('{').and_then(|brace| brace.split_once('}')).ok_or_else(|| {
                format!("a brace at position {position} has no partner; write {{{{ or }}}} for a brace")
            })?;
            let part =
                match name {
                    "source" => Part::Source,
                    name => Part::Field(Field::of(name).ok_or_else(|| {
                        format!("{{{name}}} at position {position} is no property and not {{source}}")
                    })?),
                };
            parts.extend([Part::Text(std::mem::take(&mut plain)), part]);
            rest = behind;
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        Ok(Self { parts })
    }

    /// The text with every place filled: `texts` says what stands in a property now.
    pub fn fill(&self, source: &str, mut texts: impl FnMut(&Field) -> Vec<String>) -> String {
        let mut filled = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Source => filled.push_str(source),
                Part::Field(field) => filled.push_str(&texts(field).join(", ")),
            }
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_and_doubled_braces_are_braces() {
        let template = Template::parse("📹 {summary} {{{source}}}").unwrap();
        let filled = template.fill("work", |field| vec![format!("<{}>", field.name())]);
        assert_eq!(filled, "📹 <SUMMARY> {work}");
    }

    #[test]
    fn what_is_no_place_is_refused_with_its_position() {
        for (text, position) in [("a {nobody}", "position 3"), ("a {summary", "position 3"), ("}", "position 1")] {
            let error = Template::parse(text).unwrap_err();
            assert!(error.contains(position), "{text}: {error}");
        }
    }
}
