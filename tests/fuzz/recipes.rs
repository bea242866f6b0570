//! Recipes out of a few bytes: conditions and actions of every kind, read from settings as users write them, and put
//! together as the bytes say.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use calferry::feed::{Alarm, Colour, Hidden, MeetingHosts, Presentation, Recipe, Rule, Rules, Window, ZoneNames};
use calferry::settings::{Given, Origin, Settings};
use chrono_tz::Tz;

/// So many bytes say what is done.
pub const CHOICES: usize = 20;

/// One `when` a line.
const CONDITIONS: &str = r#"
{ summary = "(?i)stand-?up|lunch|a" }
{ summary = ["^x", 'e$', '\d+', "会"] }
{ location = ".", description = "(?s)http.*" }
{ attendee = '<.*@example\.com>' }
{ organizer = "Li", categories = "Meeting" }
{ uid = "@", dtstart = "^2026" }
{ x-apple-travel-duration = "PT" }
{ status = "cancelled" }
{ status = ["tentative", "confirmed"] }
{ class = ["private", "confidential"] }
{ class = "public" }
{ transp = "transparent" }
{ transp = "opaque" }
{ partstat = ["needs-action", "tentative"] }
{ partstat = "declined" }
{ all_day = true }
{ all_day = false }
{ recurring = true }
{ recurring = false }
{ override = true }
{ override = false }
{ has = "alarm" }
{ has = "conference" }
{ has = ["attachment", "attendees"] }
{ length = ">= 15m, < 2h" }
{ length = ["= 1d", "> 2days", "<= 0"] }
{ weekdays = "mon-fri" }
{ weekdays = ["sat", "sun"], zone = "America/New_York" }
{ hours = "08:00-20:00" }
{ hours = "22:00-06:00", zone = "Asia/Shanghai" }
{ from = "2026-11-01" }
{ from = "-30d", before = "30d" }
{ before = "2026-12-01", zone = "Europe/Berlin" }
{ source = "one" }
{ source = "two" }
{ not = { summary = "(?i)e" } }
{ any = [{ summary = "lunch" }, { length = ">= 1d" }, { not = { any = [{ has = "alarm" }] } }] }
"#;

/// What one rule does, a line each.
const ACTIONS: &str = r#"
drop = true
keep = true
busy = "忙碌, busy; really"
plain_text = true
set = { summary = "📹 {summary}", location = "" }
set = { transp = "transparent", categories = ["Meeting", "{source}", "{location}"] }
set = { description = "{description}{description}\n{attendee} {url} {x-foo}", url = "https://example.com/{summary}" }
set = { status = "cancelled", class = "private", priority = "5", color = "tomato" }
set = { x-alt-desc = "{description}", comment = "{organizer} {uid} {rrule}", conference = "https://zoom.us/j/{sequence}" }
set = { summary = "", description = "" }
replace = { field = "description", pattern = "(?s)──.*", with = "" }
replace = { field = "summary", pattern = "(.)(.?)", with = "$2${1}\n" }
replace = [{ field = "location", pattern = "[^a]", with = "," }, { field = "categories", pattern = "e", with = ",;\\" }]
replace = { field = "url", pattern = "^", with = "https://example.com/ " }
replace = { field = "x-alt-desc", pattern = "<[^>]*>", with = "" }
prefix = "[{source}] "
suffix = " ({location})"
strip = ["ATTENDEE", "ORGANIZER", "X-*", "VALARM"]
strip = ["D*", "L*", "S*"]
strip = ["VLOCATION", "SUMMARY", "CLASS", "SEQUENCE", "LAST-MODIFIED"]
alarms = ["-10m", "-1m", "0"]
alarms = []
add_alarms = ["-1d", "+5m"]
shift = "-15m"
shift = "16h"
shift = "-366d"
shift = "3d 1s"
pin = "Asia/Shanghai"
pin = "America/New_York"
"#;

/// Conditions and actions as the settings make them; the condition of an action, and the other way round, is of no
/// account.
struct Parts {
    conditions: Vec<Rule>,
    actions: Vec<Rule>,
}

fn parts() -> &'static Parts {
    static PARTS: OnceLock<Parts> = OnceLock::new();
    PARTS.get_or_init(|| {
        let lines = |text: &'static str| text.lines().filter(|line| !line.is_empty());
        let conditions = lines(CONDITIONS).map(|when| format!("when = {when}\nkeep = true"));
        let count = conditions.clone().count();
        let mut rules = read(conditions.chain(lines(ACTIONS).map(str::to_owned)));
        let actions = rules.split_off(count);
        Parts { conditions: rules, actions }
    })
}

/// The rules that stand in settings as `rules`, each in a feed of its own.
fn read(rules: impl Iterator<Item = String>) -> Vec<Rule> {
    let mut toml =
        "[source.one]\nurl = \"https://one.example/a.ics\"\n[source.two]\nurl = \"https://two.example/b.ics\"\n"
            .to_owned();
    for (number, rule) in rules.enumerate() {
        toml += &format!("[feed.f{number:03}]\nsources = [\"one\", \"two\"]\nme = [\"me@example.com\"]\n");
        toml += &format!("[[feed.f{number:03}.rule]]\n{rule}\n");
    }
    let path = std::env::temp_dir().join(format!("calferry-fuzz-{}.toml", std::process::id()));
    std::fs::write(&path, toml).expect("a file in the temporary folder");
    let given = Given(vec![("state_dir", "/nowhere".to_owned())]);
    let settings = Settings::load(&Origin::File(path.clone()), &given, &[]);
    let _ = std::fs::remove_file(&path);
    let mut settings = settings.unwrap_or_else(|problems| panic!("{problems}"));
    settings.feeds.sort_by(|one, other| one.id.cmp(&other.id));
    settings.feeds.iter().flat_map(|feed| feed.recipe.rules.rules.iter().cloned()).collect()
}

/// What `choices` say.
pub fn recipe(choices: &[u8; CHOICES]) -> Recipe {
    let [hide, window, flags, more, alarms, zone, count, rules @ ..] = choices;
    let bit = |byte: &u8, bit: u8| byte >> bit & 1 == 1;
    let pick = |byte: &u8, of: usize| usize::from(*byte) % of;
    let windows = [
        None,
        None,
        Some(Window { past: None, future: Some(chrono::Duration::days(400)) }),
        Some(Window { past: Some(chrono::Duration::days(30)), future: None }),
        Some(Window { past: Some(chrono::Duration::days(3)), future: Some(chrono::Duration::days(3)) }),
        Some(Window { past: Some(chrono::Duration::days(36_600)), future: Some(chrono::Duration::days(36_600)) }),
        Some(Window { past: Some(chrono::Duration::zero()), future: Some(chrono::Duration::zero()) }),
    ];
    let alarms = [&[][..], &["-10m"], &["-1d", "+5m"]][pick(alarms, 3)];
    let zones = [None, Some(Tz::Asia__Shanghai), Some(Tz::America__New_York), Some(Tz::Pacific__Apia)];
    let hosts = if bit(flags, 1) { vec!["meet.example.com".to_owned()] } else { Vec::new() };
    let prefixes = [("one", "[1] "), ("two", "🏠,;\n ")];
    let prefixes = prefixes.iter().zip([3, 4]).filter(|(_, at)| bit(flags, *at));
    let hidden = Hidden::ALL.iter().enumerate().filter(|(at, _)| bit(hide, u8::try_from(*at).unwrap_or_default()));
    let rules = Rules {
        rules: rules.chunks_exact(2).take(pick(count, 6)).map(rule).collect(),
        me: vec!["me@example.com".to_owned()],
        hide: hidden.map(|(_, (_, hidden))| *hidden).collect(),
        window: windows[pick(window, windows.len())],
        alarms: alarms.iter().filter_map(|alarm| alarm.parse::<Alarm>().ok()).collect(),
        join: bit(flags, 0),
        hosts: MeetingHosts::with(&hosts),
        anonymise: bit(flags, 2),
        prefixes: prefixes.map(|((source, prefix), _)| ((*source).into(), (*prefix).to_owned())).collect(),
        zone: zones[pick(zone, zones.len())],
        pin_floating: bit(flags, 5),
        digest: [0; 32],
    };
    let presentation = Presentation {
        name: bit(more, 0).then(|| "工作; my, \"calendar\"".to_owned()),
        refresh: bit(more, 1).then_some(Duration::from_mins(15)),
        colour: bit(more, 2).then(|| Colour { hex: "#FF6347".to_owned(), name: Some("tomato") }),
        freshness: bit(more, 3),
        notice: bit(more, 4).then_some(2),
    };
    let zones = if bit(flags, 6) { ZoneNames::Keep } else { ZoneNames::Iana };
    Recipe { presentation: presentation.into(), rules: Arc::new(rules), zones }
}

/// The rule of two bytes: a condition, or none, and what it does.
fn rule(bytes: &[u8]) -> Rule {
    let Parts { conditions, actions } = parts();
    let (when, what) = (usize::from(bytes[0]), usize::from(bytes[1]));
    let mut rule = actions[what % actions.len()].clone();
    if let Some(condition) = conditions.get(when % (conditions.len() + 3)) {
        rule.when = condition.when.clone();
    }
    rule
}
