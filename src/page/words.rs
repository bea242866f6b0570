//! What the page says, in every language that it is said in. The texts are in the message files beside this one, one for
//! each language, in Fluent's form; a test holds them against each other and against what is asked of them.

use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

pub use crate::language::Language;

type Bundle = FluentBundle<FluentResource>;

static BUNDLES: LazyLock<[Bundle; 2]> = LazyLock::new(|| Language::ALL.map(Language::bundle));

impl Language {
    /// The text of its message file.
    pub fn messages(self) -> &'static str {
        match self {
            Self::English => include_str!("words/en.ftl"),
            Self::Chinese => include_str!("words/zh-Hans.ftl"),
        }
    }

    fn bundle(self) -> Bundle {
        let tag: LanguageIdentifier = self.tag().parse().unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![tag]);
        // Marks of direction around what is filled in are for languages that are written from right to left.
        bundle.set_use_isolating(false);
        // Of a file with mistakes, what can be read; a test sees to it that there are none.
        let resource = FluentResource::try_new(self.messages().to_owned()).unwrap_or_else(|(resource, _)| resource);
        bundle.add_resource_overriding(resource);
        bundle
    }

    fn of_own(self) -> &'static Bundle {
        let [english, chinese] = &*BUNDLES;
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }

    /// The message `id`.
    pub fn say(self, id: &str) -> String {
        self.say_of(id, &[])
    }

    /// The message `id` with what stands in its braces.
    pub fn say_of(self, id: &str, values: &[(&str, FluentValue<'_>)]) -> String {
        let bundle = self.of_own();
        let pattern = bundle.get_message(id).and_then(|message| message.value());
        debug_assert!(pattern.is_some(), "no message {id}");
        let Some(pattern) = pattern else { return id.to_owned() };
        let (args, mut errors): (FluentArgs<'_>, _) = (values.iter().cloned().collect(), Vec::new());
        let said = bundle.format_pattern(pattern, Some(&args), &mut errors).into_owned();
        debug_assert!(errors.is_empty(), "message {id}: {errors:?}");
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Device;

    #[test]
    fn the_message_files_have_no_mistakes_and_all_that_is_named_by_number() {
        for language in Language::ALL {
            let resource = FluentResource::try_new(language.messages().to_owned());
            assert!(resource.is_ok_and(|resource| resource.entries().count() > 100));
            let weekdays = (1..=7).map(|day| format!("weekday-{day}"));
            let months = (1..=12).map(|month| format!("month-{month}"));
            let devices = Device::ALL.into_iter().flat_map(|device| {
                let steps = device.steps();
                let own = (1..=steps.count).map(move |step| format!("{}-{step}", steps.name));
                own.chain([format!("device-{}", steps.name)])
                    .chain(steps.has_note.then(|| format!("{}-note", steps.name)))
            });
            // A message that is not there is said by its name; here that ends the test.
            for id in weekdays.chain(months).chain(devices) {
                assert!(!language.say(&id).is_empty());
            }
        }
    }

    #[test]
    fn one_is_said_otherwise_than_several() {
        let ago = |language: Language, count: u64| language.say_of("minutes-ago", &[("count", count.into())]);
        assert_eq!(ago(Language::English, 1), "one minute ago");
        assert_eq!(ago(Language::English, 30), "30 minutes ago");
        assert_eq!(ago(Language::Chinese, 1), "1 分钟前");
    }
}
