//! The house rules, as far as a program can see whether they are kept: which room may use which, what the pure rooms
//! may not know, how long a file may be, and that both READMEs say what the program does. A rule that is not checked
//! here, by clippy or by the formatter is only advice.

mod code;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use calferry::settings::{Given, Origin, Problems, Settings};

use self::code::{code, segments_after, without_tests, words};

/// Which room may use which others. A row names only rows above it, so the arrows cannot form a ring.
const ROOMS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("tls", &["clock"]),
    ("qr", &[]),
    ("language", &[]),
    ("calendar", &[]),
    ("feed", &["calendar"]),
    ("agenda", &["calendar", "feed"]),
    ("source", &["calendar"]),
    ("store", &["clock", "feed", "source"]),
    ("acme", &["clock", "source", "store", "tls"]),
    ("refresh", &["calendar", "clock", "source", "store"]),
    ("publisher", &["calendar", "clock", "feed", "refresh", "store"]),
    ("page", &["agenda", "calendar", "clock", "feed", "language", "publisher", "qr", "refresh"]),
    ("status", &["clock", "language", "page", "publisher", "refresh", "tls"]),
    ("http", &["calendar", "clock", "feed", "page", "publisher", "refresh", "status", "tls"]),
    ("settings", &["acme", "calendar", "clock", "feed", "http", "refresh", "source", "tls"]),
    ("doctor", &["calendar", "clock", "feed", "http", "language", "refresh", "settings", "source"]),
    (
        "app",
        &[
            "acme",
            "calendar",
            "clock",
            "feed",
            "http",
            "publisher",
            "refresh",
            "settings",
            "source",
            "status",
            "store",
            "tls",
        ],
    ),
    (
        "cli",
        &[
            "agenda",
            "app",
            "calendar",
            "clock",
            "doctor",
            "feed",
            "http",
            "publisher",
            "qr",
            "refresh",
            "settings",
            "source",
            "store",
        ],
    ),
];

/// Rooms that know no clock, no network and no file.
const PURE: &[&str] = &["calendar", "feed", "agenda", "qr"];

const READMES: [&str; 2] = ["README.md", "README.zh-CN.md"];

#[test]
fn rooms_use_only_the_rooms_above_them() {
    for (row, (room, uses)) in ROOMS.iter().enumerate() {
        let above: Vec<_> = ROOMS.iter().take(row).map(|(room, _)| room).collect();
        assert!(
            uses.iter().all(|used| above.contains(&used)),
            "the table's row of {room} names one that is not above it"
        );
    }
    let mut offences = Vec::new();
    for file in program() {
        let Some(room) = file.room() else { continue };
        let Some((_, uses)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            offences.push(format!("{}: {room} has no row in the table of rooms", file.name));
            continue;
        };
        for used in segments_after("crate", &file.code) {
            if used != room && !uses.contains(&used.as_str()) {
                offences.push(format!("{}: {room} may not use {used}", file.name));
            }
        }
        // `super::` as often as the file is deep is the crate itself, where the table cannot see what is used.
        if file.code.contains(&"super::".repeat(file.name.matches('/').count())) {
            offences.push(format!("{}: another room is named by crate::, not by super::", file.name));
        }
    }
    assert_none(&offences);
}

#[test]
fn the_pure_rooms_know_no_clock_no_network_and_no_file() {
    let mut offences = Vec::new();
    for file in program().into_iter().filter(|file| file.room().is_some_and(|room| PURE.contains(&room))) {
        let named: BTreeSet<_> = words(&file.code).collect();
        let std = segments_after("std", &file.code);
        let words = ["tokio", "hyper", "SystemTime", "Instant"].into_iter().filter(|word| named.contains(word));
        let parts = ["fs", "net", "env", "process", "thread"].into_iter().filter(|part| std.contains(*part));
        offences.extend(words.chain(parts).map(|known| format!("{}: {known}", file.name)));
    }
    assert_none(&offences);
}

#[test]
fn every_file_says_what_it_is_for_and_is_short_enough_to_read() {
    let mut offences = Vec::new();
    for file in files_below("src") {
        let text = read(&file);
        // Styles and messages have no such line.
        if Path::new(&file).extension().is_some_and(|kind| kind == "rs") && !text.starts_with("//! ") {
            offences.push(format!("{file}: does not open with //!"));
        }
        let lines = text.lines().count();
        if lines > 400 {
            offences.push(format!("{file}: {lines} lines"));
        }
    }
    assert_none(&offences);
}

#[test]
fn nothing_is_left_undone_or_unguarded() {
    let mut offences = Vec::new();
    for file in program() {
        for left in [".unwrap()", ".unwrap_err()", "todo!", "unimplemented!", "dbg!"] {
            if file.code.contains(left) {
                offences.push(format!("{}: {left}", file.name));
            }
        }
        let prints = |word: &str| ["print", "println", "eprint", "eprintln"].contains(&word);
        if file.room() != Some("cli") && words(&file.code).any(prints) {
            offences.push(format!("{}: prints, which only the command line may", file.name));
        }
    }
    for file in files_below("src").into_iter().chain(files_below("tests")) {
        let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
        let left = words(&read(&file)).find(|word| marks.contains(word)).map(str::to_owned);
        offences.extend(left.map(|mark| format!("{file}: {mark}")));
    }
    assert_none(&offences);
}

#[test]
fn the_example_in_the_readmes_is_one_text_and_loads() {
    let [english, chinese] = READMES.map(example);
    // Comments are in the language of their page, and in both at the same places.
    let settings_of = |text: &str| text.lines().map(|line| uncommented(line).to_owned()).collect::<Vec<_>>();
    assert_eq!(settings_of(&english), settings_of(&chinese), "the example is not the same in both");
    for (english, chinese) in english.lines().zip(chinese.lines()) {
        let [said, told] = [english, chinese].map(|line| &line[uncommented(line).len()..]);
        assert_eq!(said.is_empty(), told.is_empty(), "a comment is in one of them only: {english}");
        assert!(said.is_empty() || said != told, "the comment is not translated: {told}");
    }
    let settings = load(&english).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(settings.warnings, []);
    assert!(!settings.sources.is_empty() && !settings.feeds.is_empty());
}

#[test]
fn the_readmes_describe_every_settings_key_and_no_other() {
    let known = known_keys();
    assert!(known.values().all(|keys| !keys.is_empty()), "{known:?}");
    let mut offences = Vec::new();
    for readme in READMES {
        let text = read(readme);
        for (table, keys) in &known {
            let described = described_keys(&text, table);
            let missing = keys.difference(&described).map(|key| format!("{readme}: {table} lacks {key}"));
            let invented = described.difference(keys).map(|key| format!("{readme}: {table} has no {key}"));
            offences.extend(missing.chain(invented));
        }
    }
    assert_none(&offences);
}

#[test]
fn the_readmes_explain_every_error_by_its_name() {
    let source = read("src/source/error.rs");
    let body = source.split("pub fn name(").nth(1).and_then(|rest| rest.split("\n    }\n").next()).unwrap();
    let names: Vec<_> = body.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(names.len() > 20, "{names:?}");
    let missing = missing_from_readmes(&names);
    assert_none(&missing);
}

#[test]
fn the_readmes_name_every_metric() {
    let source = read("src/http/metrics.rs");
    // A metric's name is the text before its help text, and only help texts begin with a capital.
    let quoted: Vec<_> = source.split('"').skip(1).step_by(2).collect();
    let names: Vec<_> = quoted
        .windows(2)
        .filter(|pair| pair[1].starts_with(|char: char| char.is_ascii_uppercase()) && pair[1].contains(' '))
        .map(|pair| format!("calferry_{}", pair[0]))
        .collect();
    assert!(names.len() > 8, "{names:?}");
    let missing = missing_from_readmes(&names);
    assert_none(&missing);
}

#[test]
fn the_readmes_explain_every_finding_of_the_doctor_and_no_other() {
    let names: BTreeSet<_> = calferry::doctor::Kind::ALL.iter().map(|kind| kind.name().to_owned()).collect();
    for readme in READMES {
        assert_eq!(described_keys(&read(readme), "`calferry doctor`"), names, "{readme}");
    }
}

#[test]
fn the_readmes_lead_only_to_files_that_are_there() {
    let mut offences = Vec::new();
    for readme in READMES {
        let text = read(readme);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://") && !target.starts_with('#')) {
            if !root().join(target.split('#').next().unwrap_or_default()).exists() {
                offences.push(format!("{readme}: {target}"));
            }
        }
    }
    assert_none(&offences);
}

#[test]
fn a_container_is_built_from_every_file_that_the_program_includes() {
    let let_in = read(".dockerignore");
    let mut missing = Vec::new();
    for file in files_below("src") {
        let text = read(&file);
        for included in text.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let outside = included.trim_start_matches("../");
            // What is below the file itself is in `src`, which is let in whole.
            if included.starts_with("../") && !let_in.lines().any(|line| line == format!("!{outside}")) {
                missing.push(format!("{file}: {outside} is not let in by .dockerignore"));
            }
        }
    }
    assert_none(&missing);
}

#[test]
fn a_container_is_built_with_every_target_that_the_manifest_names() {
    let let_in = read(".dockerignore");
    let manifest = read("Cargo.toml");
    let paths: Vec<_> = manifest.lines().filter_map(|line| line.strip_prefix("path = \"")?.strip_suffix('"')).collect();
    assert!(paths.len() > 4, "{paths:?}");
    // Without its file, cargo refuses the whole manifest.
    let is_let_in = |path: &str| {
        Path::new(path).ancestors().any(|at| let_in.lines().any(|line| line == format!("!{}", at.display())))
    };
    let missing: Vec<_> = paths.into_iter().filter(|path| !is_let_in(path)).map(str::to_owned).collect();
    assert_none(&missing);
}

#[test]
fn the_project_speaks_of_itself_only() {
    // In two pieces each, or this file would be the first to break the rule.
    let foreign = [
        concat!("/work/", "main"),
        concat!("/work/", "shared"),
        concat!("../", "shared"),
        concat!("crates", ".io"),
        concat!("/tmp/", "bash"),
    ];
    let mut offences = Vec::new();
    let folders = ["src", "tests", "deploy", ".ci"].into_iter().flat_map(files_below);
    // A lock file is cargo's, and names where its packages come from.
    for file in folders.chain(files_at_the_top()).filter(|file| !file.ends_with("Cargo.lock")) {
        let text = read(&file);
        offences.extend(foreign.iter().filter(|word| text.contains(*word)).map(|word| format!("{file}: {word}")));
    }
    assert_none(&offences);
}

/// A file of the program, without what is there for tests only.
struct File {
    /// Its path from the package's root.
    name: String,
    /// Its text without tests, comments and the insides of literals.
    code: String,
}

impl File {
    /// The room it belongs to; none for the crate's own two files.
    fn room(&self) -> Option<&str> {
        let first = self.name.strip_prefix("src/")?.split('/').next()?;
        Some(first.strip_suffix(".rs").unwrap_or(first)).filter(|room| !["lib", "main"].contains(room))
    }
}

fn program() -> Vec<File> {
    let files =
        files_below("src").into_iter().filter(|file| Path::new(file).extension().is_some_and(|kind| kind == "rs"));
    let program: Vec<_> = files
        .filter(|file| !file.ends_with("/tests.rs") && !file.contains("/tests/"))
        .map(|name| File { code: without_tests(&code(&read(&name))), name })
        .collect();
    assert!(program.len() > 30, "the program is somewhere else");
    program
}

fn assert_none(offences: &[String]) {
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    let bytes = fs::read(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    // A fixture may be in any charset.
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The files in `folder`, and in the folders in it, by their path from the package's root. What a tool leaves there is
/// no file of the project.
fn files_below(folder: &str) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).into_iter().flatten().flatten() {
            let path = folder.join(entry.file_name());
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_file() {
                files.push(path.to_string_lossy().into_owned());
            } else if !name.starts_with('.')
                && !["node_modules", "target", "__pycache__", "venv"].contains(&name.as_str())
            {
                folders.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The files at the top, save the lock file, which names the registry on every other line.
fn files_at_the_top() -> Vec<String> {
    let entries = fs::read_dir(root()).unwrap().flatten().filter(|entry| entry.path().is_file());
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(|name| name != "Cargo.lock").collect()
}

/// The one settings file in `readme`.
fn example(readme: &str) -> String {
    let text = read(readme);
    let blocks: Vec<_> = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 1, "{readme} has one whole example, so that it can be tried");
    blocks[0].to_owned()
}

/// A line of settings without the comment behind it. A setting that is switched off is one all the same.
fn uncommented(line: &str) -> &str {
    let from = usize::from(line.starts_with('#'));
    // No comment mark stands in a string of the example.
    line[from..].find('#').map_or(line, |at| line[..from + at].trim_end())
}

/// Loads `toml` among the files and variables that the example speaks of.
fn load(toml: &str) -> Result<Settings, Problems> {
    let dir = crate::harness::private_dir();
    let file = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    file("calferry.toml", toml);
    file("family.url", "https://example.com/calendars/0123456789abcdef.ics\n");
    file("old-token", "0123456789abcdefghijklmn\n");
    let environment = [("HOME", "/home/somebody"), ("CLUB_URL", "https://example.com/club/0123456789abcdef.ics")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Settings::load(&Origin::File(dir.path().join("calferry.toml")), &Given::default(), &environment)
}

/// The keys the program knows, by table, as it tells them to somebody who has mistyped one. The table's name is what
/// stands in the heading above its description.
fn known_keys() -> BTreeMap<&'static str, BTreeSet<String>> {
    let tables = [
        ("`calferry.toml`", "", "bogus"),
        ("`[server]`", "[server]", "server.bogus"),
        ("`[server.tls]`", "[server.tls]", "server.tls.bogus"),
        ("`[server.acme]`", "[server.acme]", "server.acme.bogus"),
        ("`[fetch]`", "[fetch]", "fetch.bogus"),
        ("`[source.NAME]`", "[source.a]", "source.a.bogus"),
        ("`[feed.NAME]`", "[feed.a]", "feed.a.bogus"),
        ("`[feed.NAME.device.DEVICE]`", "[feed.a.device.b]", "feed.a.device.b.bogus"),
        ("`[[feed.NAME.rule]]`", "[[feed.a.rule]]", "feed.a.rule[0].bogus"),
        ("`when`", "[feed.a.rule.when]", "feed.a.rule[0].when.bogus"),
    ];
    let toml = tables.map(|(_, head, _)| format!("{head}\nbogus = 1\n")).concat();
    let problems = load(&toml).unwrap_err().0;
    let keys = |path: &str| {
        let told = problems.iter().find(|problem| problem.path == path).map(|problem| problem.message.as_str());
        let list = told.and_then(|told| told.split("known here: ").nth(1)).unwrap_or_default();
        list.split(", ").map(str::to_owned).collect()
    };
    tables.into_iter().map(|(heading, _, path)| (heading, keys(path))).collect()
}

/// The keys in the first column of the table below the heading that names `table`.
fn described_keys(readme: &str, table: &str) -> BTreeSet<String> {
    let mut sections =
        readme.split("\n#").filter(|section| section.lines().next().is_some_and(|head| head.contains(table)));
    let rows = sections.next().unwrap_or_default().lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).map(str::to_owned).collect()
}

fn missing_from_readmes(names: &[impl AsRef<str>]) -> Vec<String> {
    let mut missing = Vec::new();
    for readme in READMES {
        let text = read(readme);
        let absent = names.iter().map(AsRef::as_ref).filter(|name| !text.contains(&format!("`{name}`")));
        missing.extend(absent.map(|name| format!("{readme}: {name}")));
    }
    missing
}
