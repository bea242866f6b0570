//! A day of fetches as a small picture: a bar for each quarter of an hour, the higher the longer the answers took.

use std::fmt::Write;
use std::time::Duration;

use maud::{Markup, html};

use super::report::Day;
use super::words::ago;
use crate::page::Language;
use crate::refresh::{Ending, QUARTERS, Quarter};

/// Units for each quarter, and of the whole height.
const WIDTH: usize = 4;
const HEIGHT: f64 = 32.0;
/// Answers that take this long fill the height.
const LONGEST: f64 = 60_000.0;

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;

/// What the picture says, in words. A program that has run for less than a day has less to show.
fn words(language: Language, day: &Day, up_seconds: u64) -> String {
    let span = match up_seconds {
        DAY.. => language.say("day-span"),
        _ => language.say_of("day-span-started", &[("ago", ago(language, up_seconds).into())]),
    };
    let values = [
        ("span", span.into()),
        ("well", day.quarters_well.into()),
        ("aside", day.quarters_set_aside.into()),
        ("failed", day.quarters_failed.into()),
        ("took", day.mean_latency_ms.unwrap_or_default().into()),
    ];
    language.say_of(if day.mean_latency_ms.is_some() { "day-words" } else { "day-words-unanswered" }, &values)
}

/// The picture, of a program that runs since `up_seconds`.
pub(super) fn chart(language: Language, day: &Day, up_seconds: u64) -> Markup {
    let width = QUARTERS * WIDTH;
    html! {
        figure.chart {
            // Its caption says all of it.
            svg viewBox=(format!("0 0 {width} {HEIGHT}")) preserveAspectRatio="none" aria-hidden="true" {
                path.floor d=(format!("M0 {}h{width}v1h-{width}z", HEIGHT - 1.0)) {}
                @for (ending, class) in [(Ending::Well, "took"), (Ending::Aside, "kept"), (Ending::Failed, "bad")] {
                    @let bars = bars(&day.quarters, ending);
                    @if !bars.is_empty() { path class=(class) d=(bars) {} }
                }
            }
            figcaption.note { (words(language, day, up_seconds)) }
        }
    }
}

/// The bars of the quarters that ended so.
fn bars(quarters: &[Option<Quarter>; QUARTERS], ending: Ending) -> String {
    let mut path = String::new();
    for (number, quarter) in quarters.iter().enumerate() {
        let Some(quarter) = quarter.filter(|quarter| quarter.worst == ending) else { continue };
        let height = match ending {
            // A failure is seen from afar, however quick it was.
            Ending::Failed => HEIGHT,
            _ => quarter.took.map_or(3.0, height),
        };
        // Writing to a string cannot fail.
        let _ = write!(path, "M{} {HEIGHT}v-{height:.0}h3v{height:.0}z", number * WIDTH);
    }
    path
}

/// By the logarithm: a tenth of a second and ten seconds are both to be seen.
fn height(took: Duration) -> f64 {
    let millis = took.as_secs_f64() * 1000.0;
    ((millis + 1.0).ln() / LONGEST.ln() * HEIGHT).clamp(3.0, HEIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quarter_is_one_bar_in_the_colour_of_its_worst() {
        let mut quarters = [None; QUARTERS];
        quarters[0] = Some(Quarter { worst: Ending::Well, took: Some(Duration::from_mins(1)) });
        quarters[95] = Some(Quarter { worst: Ending::Failed, took: None });
        assert_eq!(bars(&quarters, Ending::Well), "M0 32v-32h3v32z");
        assert_eq!(bars(&quarters, Ending::Failed), "M380 32v-32h3v32z");
        assert_eq!(bars(&quarters, Ending::Aside), "");
        // What is no bar is a line along the whole of the ground.
        let drawn = chart(Language::English, &Day::of(quarters), DAY).into_string();
        assert!(drawn.contains("<path class=\"floor\" d=\"M0 31h384v1h-384z\">"), "{drawn}");
    }

    #[test]
    fn the_caption_says_what_time_is_shown() {
        let day = Day::of([None; QUARTERS]);
        let said = |language, up| chart(language, &day, up).into_string();
        assert!(said(Language::English, DAY).contains("<figcaption class=\"note\">Fetches of the last 24 hours, "));
        assert!(said(Language::Chinese, DAY).contains(">最近 24 小时的抓取，"));
        assert!(said(Language::English, DAY - 1).contains(">Fetches since the program started 23 hours ago, "));
        assert!(said(Language::Chinese, 60).contains(">程序启动以来（1 分钟前启动）的抓取，"));
    }
}
