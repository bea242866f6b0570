//! Settings as users write them, rightly and wrongly.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use super::*;

mod rules;
mod warnings;
mod wrong_rules;

fn load_with(
    toml: &str,
    given: &[(&'static str, &str)],
    environment: &[(&str, &str)],
) -> Result<Settings, Vec<String>> {
    let dir = tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap();
    let path = dir.path().join("calferry.toml");
    std::fs::write(&path, toml).unwrap();
    std::fs::write(dir.path().join("url.txt"), "https://example.com/from-file/secret.ics\n").unwrap();
    std::fs::write(dir.path().join("token.txt"), "an-old-token-of-24-chars\n").unwrap();
    std::fs::write(dir.path().join("ways.txt"), "# the usual\n\ndirect\nhttp://lin:secret@proxy.example:3128\n")
        .unwrap();
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let mut environment: Vec<_> = environment.iter().map(owned).collect();
    environment.push(("HOME".into(), "/home/lin".into()));
    let given = Given(given.iter().map(|(key, value)| (*key, (*value).to_owned())).collect());
    let loaded = Settings::load(&Origin::File(path), &given, &environment);
    loaded.map_err(|problems| problems.0.iter().map(ToString::to_string).collect())
}

fn load(toml: &str) -> Result<Settings, Vec<String>> {
    load_with(toml, &[], &[])
}

const EXAMPLE: &str = r#"
public_url = "https://cal.example.com"
state_dir  = "/var/lib/calferry"
edition_budget = "32MiB"

[server]
listen          = "127.0.0.1:8080"
admin_listen    = "127.0.0.1:9090"
trusted_proxies = ["cloudflare", "10.0.0.0/8"]
drain           = "3s"

[fetch]
refresh = "20m"

[source.work]
url     = "https://calendar.google.com/calendar/ical/a%40b/private-0123456789abcdef0123456789abcdef/basic.ics"
refresh = "15m"

[source.family]
url_file = "url.txt"

[feed.me]
name    = "工作"
sources = ["work"]
devices = ["iphone", "xiaomi"]
revoked = ["old-phone"]

[feed.me.device.iphone]
rotation = 2

[feed.me.device.tablet]
token_file = "token.txt"

[feed.home]
sources = ["family"]
"#;

#[test]
fn the_example_means_what_it_says() {
    let settings = load(EXAMPLE).unwrap();
    assert_eq!(settings.public_url.as_str(), "https://cal.example.com/");
    assert_eq!(settings.edition_budget, 32 << 20);
    assert_eq!(settings.server.drain, Duration::from_secs(3));
    let family = &settings.sources[0];
    assert_eq!((&*family.name, family.pace.refresh), ("family", Duration::from_mins(20)));
    assert_eq!(settings.sources[1].pace.refresh, Duration::from_mins(15));
    let [home, me] = &settings.feeds[..] else { panic!() };
    assert_eq!(
        (
            home.recipe.presentation.name.as_deref(),
            home.devices[0].name.as_str(),
            home.recipe.presentation.refresh.unwrap()
        ),
        (None, "phone", Duration::from_mins(20))
    );
    assert_eq!(me.recipe.presentation.name.as_deref(), Some("工作"));
    let devices: Vec<_> =
        me.devices.iter().map(|device| (device.name.as_str(), device.rotation, device.token.is_some())).collect();
    assert_eq!(devices, [("iphone", 2, false), ("xiaomi", 0, false), ("tablet", 0, true)]);
    assert_eq!(settings.files.len(), 2);
}

#[test]
fn a_token_of_ones_own_is_of_one_device_only() {
    let twice = format!("{EXAMPLE}\n[feed.home.device.tv]\ntoken_file = \"token.txt\"\n");
    assert_eq!(
        load(&twice).unwrap_err(),
        ["feed.me.device.tablet.token_file: is the token of feed.home.device.tv already; each needs its own"]
    );
}

#[test]
fn every_problem_is_told_at_once_with_its_path() {
    let problems = load(
        r#"
        public_url = "cal.example.com"
        colour = "red"
        [server]
        listen = "here"
        admin_listen = "0.0.0.0:9090"
        trusted_proxies = ["cloudfare"]
        cloudflare_ranges_file = "/nowhere/ranges.txt"
        edge_cache = "5ms"
        [fetch]
        refresh = "15x"
        max_redirects = 99
        [source.work]
        url = "https://calendar.google.com/calendar/u/0?cid=abc"
        refresh = "1s"
        [source.lan]
        url = "http://192.168.1.2/a.ics"
        [source."my cal"]
        url = "https://example.com/a.ics"
        url_file = "url.txt"
        [feed.me]
        sources = ["work", "wrok"]
        devices = ["a", "a", "b/c"]
        revoked = ["a"]
        nam = "x"
        [feed.you]
        "#,
    )
    .unwrap_err();
    let paths: Vec<_> = problems.iter().map(|problem| problem.split(": ").next().unwrap()).collect();
    for path in [
        "public_url",
        "colour",
        "server.listen",
        "server.admin_listen",
        "server.trusted_proxies[0]",
        "server.cloudflare_ranges_file",
        "server.edge_cache",
        "fetch.refresh",
        "fetch.max_redirects",
        "source.work.url",
        "source.work.refresh",
        "source.lan.url",
        "source.my cal",
        "feed.me.sources[1]",
        "feed.me.devices[1]",
        "feed.me.devices[2]",
        "feed.me.revoked[0]",
        "feed.me.nam",
        "feed.you.sources",
    ] {
        assert!(paths.contains(&path), "{path} is missing in {problems:#?}");
    }
    assert!(problems.contains(&"feed.me.sources[1]: no source named \"wrok\"".to_owned()));
    assert!(!paths.contains(&"feed.me.sources[0]"), "a broken source is there all the same");
    assert!(problems.iter().any(|problem| problem.starts_with("colour: unknown key; known here: ")));
}

/// Every table of the example, with a key in it that nobody knows.
#[test]
fn an_unknown_key_is_refused_at_every_level() {
    for table in ["", "[server]", "[fetch]", "[source.work]", "[feed.me]", "[feed.me.device.iphone]"] {
        let toml = if table.is_empty() {
            format!("bogus = 1\n{EXAMPLE}")
        } else {
            EXAMPLE.replace(table, &format!("{table}\nbogus = 1"))
        };
        let problems = load(&toml).unwrap_err();
        let path = table.trim_matches(['[', ']']);
        let path = if path.is_empty() { "bogus".to_owned() } else { format!("{path}.bogus") };
        assert!(problems.len() == 1 && problems[0].starts_with(&path), "{table}: {problems:?}");
    }
}

#[test]
fn every_key_can_come_from_the_environment_and_the_command_line_wins() {
    let environment = [
        ("CALFERRY__SERVER__LISTEN", "127.0.0.1:1234"),
        ("CALFERRY__FETCH__REFRESH", "30m"),
        ("CALFERRY__FETCH__ALLOW_PRIVATE", "true"),
        ("CALFERRY__FEED__ME__DEVICES", "iphone, ipad"),
        ("CALFERRY__SOURCE__EXTRA__URL_ENV", "THE_URL"),
        ("THE_URL", "http://10.0.0.1/a.ics"),
        ("CALFERRY_LOG", "debug"),
    ];
    let settings = load_with(EXAMPLE, &[("fetch.refresh", "45m")], &environment).unwrap();
    assert_eq!(settings.server.listen[0].tcp().unwrap().port(), 1234);
    let extra = settings.sources.iter().find(|source| &*source.name == "extra").unwrap();
    assert_eq!((extra.reach, extra.pace.refresh), (Reach::Private, Duration::from_mins(45)));
    assert_eq!(settings.feeds[1].devices.len(), 3);
    assert_eq!(load_with(EXAMPLE, &[], &[("CALFERRY__SERVER__LISTN", "x")]).unwrap_err().len(), 1);
}

#[test]
fn what_is_wrong_is_said_without_saying_the_secret() {
    let secret = "private-0123456789abcdef0123456789abcdef";
    for broken in [
        format!("[source.a]\nurl = \"https://calendar.google.com/calendar/ical/x/{secret}/basic.ics"),
        format!("[source.a]\nurl = \"ftp://calendar.google.com/calendar/ical/x/{secret}/basic.ics\""),
        format!("[source.a]\nurl = [\"https://calendar.google.com/{secret}\"]"),
        format!("[source.a]\nurl = https://calendar.google.com/{secret}"),
        format!("source = \"https://calendar.google.com/{secret}\""),
    ] {
        let problems = load(&broken).unwrap_err();
        assert!(!problems.is_empty() && problems.iter().all(|problem| !problem.contains(secret)), "{problems:?}");
    }
    let debugged = format!("{:?}", load(EXAMPLE).unwrap());
    assert!(!debugged.contains(secret) && !debugged.contains("an-old-token"));
}

#[test]
fn without_a_home_the_state_needs_a_folder() {
    let given = Given(vec![
        ("source.calendar.url", "https://example.com/a.ics".into()),
        ("feed.calendar.sources", "calendar".into()),
    ]);
    let problems = Settings::load(&Origin::Nothing, &given, &[]).unwrap_err();
    assert_eq!(problems.0[0].path, "state_dir");
    let systemd = [("STATE_DIRECTORY".to_owned(), "/var/lib/calferry:/x".to_owned())];
    assert_eq!(
        Settings::load(&Origin::Nothing, &given, &systemd).unwrap().state_dir,
        PathBuf::from("/var/lib/calferry")
    );
}

#[test]
fn a_credential_of_systemd_is_read_by_its_name_only() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("family"), "https://example.com/handed-over/secret.ics\n").unwrap();
    let toml = |name: &str| {
        format!("[source.family]\nurl_file = \"credential:{name}\"\n[feed.family]\nsources = [\"family\"]\n")
    };
    let credentials = folder.path().to_str().unwrap();
    let here = [("CREDENTIALS_DIRECTORY", credentials)];
    assert!(load_with(&toml("family"), &[], &here).is_ok());
    let elsewhere = format!("..{}/family", credentials.replace('/', "/../"));
    for (name, environment) in [("family", &[][..]), ("other", &here), ("", &here), ("..", &here), (&elsewhere, &here)]
    {
        let problems = load_with(&toml(name), &[], environment).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains("source.family.url_file")), "{name}: {problems:?}");
    }
    let outside = load_with(&toml(&format!("{credentials}/family")), &[], &here).unwrap_err();
    assert!(outside.iter().any(|problem| problem.contains("without a folder")), "{outside:?}");
}

#[test]
fn ways_and_ports_are_read_for_all_sources_and_for_one() {
    let toml = "[fetch]\negress = [\"socks5h://lin:secret@127.0.0.1:1080\", \"direct\"]\nports = [443, 8443]\n\
                [source.a]\nurl = \"https://one.example:8443/a.ics\"\n\
                [source.b]\nurl = \"https://two.example:9443/a.ics\"\negress = \"http://proxy.example:3128\"\nports = 9443\n\
                [source.c]\nurl = \"https://three.example/a.ics\"\negress_file = \"ways.txt\"\n[feed.me]\nsources = [\"a\"]\n";
    let settings = load(toml).unwrap();
    let kinds = |index: usize| settings.sources[index].ways.iter().map(Way::kind).collect::<Vec<_>>();
    assert_eq!((kinds(0), kinds(1), kinds(2)), (vec!["socks5h", "direct"], vec!["http"], vec!["direct", "http"]));
    assert_eq!(*settings.sources[0].ports, [443, 8443]);
    assert_eq!(*settings.sources[1].ports, [443, 8443, 9443]);
    assert!(!format!("{settings:?}").contains("secret") && !format!("{settings:?}").contains("proxy.example"));
    assert!(settings.files.iter().any(|file| file.ends_with("ways.txt")), "it is read again when it changes");
    let plain = load("[source.a]\nurl = \"https://one.example/a.ics\"\n[feed.me]\nsources = [\"a\"]\n").unwrap();
    assert_eq!((&*plain.sources[0].ways, &*plain.sources[0].ports), (&[Way::Direct][..], &[80, 443][..]));
}

#[test]
fn ways_and_ports_that_cannot_be_are_told_at_their_place_without_what_was_written() {
    for (toml, expected) in [
        ("egress = [\"direct\", \"socks5://lin:hush@h:1\"]", "source.a.egress[1]: write socks5h:// for socks5://"),
        ("egress = \"https://lin:hush@h:1\"", "source.a.egress: a proxy cannot be spoken to over TLS"),
        ("egress = []", "source.a.egress: the list is empty"),
        ("egress = [\"direct\", \"direct\"]", "source.a.egress: names a way twice"),
        ("egress = \"direct\"\negress_file = \"ways.txt\"", "source.a: has both egress and egress_file"),
        ("egress_file = \"nowhere.txt\"", "source.a.egress_file: "),
        ("egress_file = \"url.txt\"", "source.a.egress_file: line 1: a proxy cannot be spoken to over TLS"),
        ("ports = [0]", "source.a.ports[0]: write a port, 1 to 65535"),
        ("ports = [70000]", "source.a.ports[0]: write a port, 1 to 65535"),
    ] {
        let problems = load(&format!("[source.a]\nurl = \"https://one.example/a.ics\"\n{toml}\n")).unwrap_err();
        assert!(problems.len() == 1 && problems[0].starts_with(expected), "{toml}: {problems:?}");
        assert!(!problems[0].contains("hush"), "{problems:?}");
    }
    let url = |name: &str, more: &str| {
        format!(
            "[source.{name}]\nurl = \"https://one.example:8443/a.ics\"\n{more}\n[feed.{name}]\nsources = [\"{name}\"]\n"
        )
    };
    let problems = load(&url("a", "")).unwrap_err();
    assert!(problems[0].starts_with("source.a.url: port 8443 may not be used"), "{problems:?}");
    assert!(load(&url("a", "allow_private = true")).is_ok() && load(&url("a", "ports = [8443]")).is_ok());
    let two = [url("a", "ports = [8443]"), url("b", "ports = [8443]\negress = \"http://proxy.example:3128\"")].concat();
    let problems = load(&two).unwrap_err();
    assert!(problems[0].starts_with("source.b.egress: source a has the same address"), "{problems:?}");
}

const FEED: &str = "[source.work]\nurl = \"https://example.com/a.ics\"\n[feed.me]\nsources = [\"work\"]\n";

fn acme(toml: &str) -> Result<Encryption, Vec<String>> {
    let settings = load(&format!("[server.acme]\n{toml}\n{FEED}"))?;
    Ok(settings.server.tls.unwrap())
}

#[test]
fn a_certificate_can_be_ordered_with_client_certificates_or_without() {
    let usual = acme("domains = [\"Cal.Example.com\", \"日历.example\", \"cal.example.com\"]").unwrap();
    let CertificateOrigin::Acme(options) = &usual.origin else { panic!() };
    assert_eq!(options.domains, ["cal.example.com", "xn--jmr704b.example"]);
    assert_eq!(options.directory, crate::acme::LETS_ENCRYPT);
    let staging = acme("domains = [\"a.example\"]\nstaging = true\ncontact = [\"mailto:Lin@example.com\"]").unwrap();
    let CertificateOrigin::Acme(options) = &staging.origin else { panic!() };
    assert_eq!(options.directory, crate::acme::LETS_ENCRYPT_STAGING);
    assert_eq!(options.contact, ["lin@example.com"]);
    let other = acme("domains = \"a.example\"\ndirectory = \"https://ca.example/dir\"\nca_file = \"ca.pem\"").unwrap();
    let CertificateOrigin::Acme(options) = &other.origin else { panic!() };
    assert_eq!(options.directory, "https://ca.example/dir");
    assert!(options.ca_file.as_ref().is_some_and(|path| path.is_absolute() && path.ends_with("ca.pem")));
    let guarded = acme("domains = [\"a.example\"]\n[server.tls]\nclient_ca = \"clients.pem\"").unwrap();
    assert!(guarded.client_ca.is_some() && matches!(guarded.origin, CertificateOrigin::Acme(_)));
}

#[test]
fn urls_start_with_the_first_name_of_an_ordered_certificate() {
    let settings =
        load(&format!("[server]\nlisten = \"0.0.0.0:443\"\n[server.acme]\ndomains = [\"a.example\"]\n{FEED}"));
    let settings = settings.unwrap();
    assert_eq!(settings.public_url.as_str(), "https://a.example/");
    assert_eq!(settings.warnings, []);
}

#[test]
fn what_is_wrong_with_an_order_is_told_by_its_path() {
    let told = |toml: &str| acme(toml).unwrap_err();
    let begins = |problems: &[String], expected: &[&str]| {
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.starts_with(expected), "{problem:?} is not {expected:?}");
        }
    };
    begins(&told("contact = [\"lin@example.com\"]"), &["server.acme.domains: is missing"]);
    begins(
        &told("domains = [\"*.a.example\", \"192.0.2.1\", \"localhost\", \"a b\", \"a_b.example\"]"),
        &[
            "server.acme.domains[0]: is a wildcard",
            "server.acme.domains[1]: is an address",
            "server.acme.domains[2]: is no name",
            "server.acme.domains[3]: is no name",
            "server.acme.domains[4]: is no name",
        ],
    );
    begins(
        &told(
            "domains = [\"a.example\"]\ncontact = [\"lin\"]\nstaging = true\ndirectory = \"http://ca.example\"\nx = 1",
        ),
        &[
            "server.acme.contact[0]: write an address",
            "server.acme.staging: is that of Let's Encrypt",
            "server.acme.directory: is no address",
            "server.acme.x: unknown key",
        ],
    );
    let files = "domains = [\"a.example\"]\n[server.tls]\ncertificate = \"a.pem\"\nkey = \"a.key\"";
    begins(&told(files), &["server.tls.certificate: is in files, and [server.acme] orders one"]);
    begins(&told("domains = [\"a.example\"]\n[server.tls]\nkey = \"a.key\""), &["server.tls.key: is in files"]);
    let local = load(&format!("[server]\nlisten = \"unix:/run/a\"\n[server.acme]\ndomains = [\"a.example\"]\n{FEED}"));
    begins(&local.unwrap_err(), &["server.acme: needs a listener on the network"]);
}

#[test]
fn an_old_url_is_given_time_until_a_moment_in_utc() {
    let device = |lines: &str| {
        let source = "[source.work]\nurl = \"https://example.com/a/secret/basic.ics\"\n";
        load(&format!("{source}[feed.me]\nsources = [\"work\"]\n[feed.me.device.a]\n{lines}"))
    };
    // As text and as TOML's own time.
    for until in ["\"2026-12-03T00:00:00Z\"", "2026-12-03T00:00:00Z"] {
        let settings = device(&format!("rotation = 1\ngrace_until = {until}\n")).unwrap();
        let device = &settings.feeds[0].devices[0];
        let (token, end) = device.token_before(&Key::new([7; 32]), "me").unwrap();
        assert_eq!(end.to_string(), "2026-12-03T00:00:00Z");
        assert!(token == Key::new([7; 32]).token("me", "a", 0));
    }
    assert!(device("rotation = 1\n").unwrap().feeds[0].devices[0].token_before(&Key::new([7; 32]), "me").is_none());
    for (lines, problem) in [
        ("grace_until = \"2026-12-03T00:00:00Z\"\n", "there is no earlier URL: rotation is 0"),
        ("rotation = 1\ngrace_until = \"7d\"\n", "\"7d\" is not a time in UTC; write \"2026-12-03T00:00:00Z\""),
    ] {
        assert_eq!(device(lines).unwrap_err(), [format!("feed.me.device.a.grace_until: {problem}")]);
    }
}
