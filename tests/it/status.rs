//! The status page: what is on it, what is not, and who may do what by it.

mod sources;

use std::time::Instant;

use base64::Engine;
use bytes::Bytes;
use calferry::app::App;
use calferry::clock::{Clock, Timestamp};
use calferry::http::Password;
use calferry::settings::{Given, Origin, Settings};
use calferry::store::{Access, Store};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::harness::client::{Reply, raw, request, send};
use super::harness::program::{Program, path, settings};
use super::harness::upstream::{Upstream, calendar};
use super::harness::{self, eventually};

/// Sends `form` to the admin listener, with these headers.
async fn post(program: &Program, to: &str, form: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::post(to).header("content-type", "application/x-www-form-urlencoded");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let stream = TcpStream::connect(program.app.admin_listening().unwrap()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(request.body(Full::<Bytes>::from(form.to_owned())).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    Reply { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
}

/// The value of the field `name` in the first form of `page`.
fn field(page: &str, name: &str) -> String {
    let from = page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap_or_else(|| panic!("no {name} in {page}"));
    from.split('"').next().unwrap().replace("&amp;", "&")
}

fn encoded(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// A program with one source, of whose next answer most events are gone.
async fn with_quarantine() -> (Upstream, Program) {
    let upstream = Upstream::start().await;
    upstream.on("/a/basic.ics", calendar(harness::calendar(40, "before")));
    let url = upstream.url("/a/basic.ics");
    let toml = format!(
        "[fetch]\nallow_private = true\nrefresh = \"1m\"\n[source.work]\nurl = \"{url}\"\n[feed.me]\nsources = [\"work\"]\ndevices = [\"phone\", \"tablet\"]\n"
    );
    let program = Program::start(&toml).await;
    eventually("the first copy", async || program.source("work").await["events"] == 40).await;
    let dir = program.stop().await;
    upstream.on("/a/basic.ics", calendar(harness::calendar(2, "after")));
    let later = Timestamp::from_secs(Clock::System.now().as_secs() + 3600);
    let program = Program::start_in(dir, &toml, Clock::simulated(later)).await;
    eventually("the answer to be kept aside", async || program.source("work").await["state"] == "quarantine").await;
    (upstream, program)
}

/// A source that nobody can reach, and its feed.
const ANYTHING: &str =
    "[fetch]\nallow_private = true\n[source.a]\nurl = \"http://127.0.0.1:9/a\"\n[feed.a]\nsources = [\"a\"]\n";

const HERE: (&str, &str) = ("host", "127.0.0.1:9090");

#[tokio::test]
async fn what_is_set_aside_is_accepted_by_the_form_of_this_page_only() {
    let (_upstream, program) = with_quarantine().await;
    let page = program.admin("/?lang=en&state=quarantine").await.text().to_owned();
    assert!(page.contains("Accept it") && page.contains("an answer with 2 events, against 40"), "{page}");
    let (copy, proof, back) = (field(&page, "copy"), field(&page, "proof"), field(&page, "back"));
    let form = encoded(&[("source", "work"), ("copy", &copy), ("proof", &proof), ("back", &back)]);
    let proofless = encoded(&[("source", "work"), ("copy", &copy)]);
    let of_another = encoded(&[("source", "home"), ("copy", &copy), ("proof", &proof)]);
    for (what, form, headers) in [
        ("no proof", &proofless, &[HERE][..]),
        ("the proof of another source", &of_another, &[HERE]),
        ("another site", &form, &[HERE, ("sec-fetch-site", "cross-site")]),
        ("another origin", &form, &[HERE, ("origin", "http://127.0.0.1:8080")]),
        ("a name that leads here", &form, &[("host", "rebound.example:9090"), ("sec-fetch-site", "same-origin")]),
    ] {
        let refusal = post(&program, "/accept", form, headers).await;
        assert_eq!(refusal.status, 403, "{what}");
        // By which address the page is open is not for this answer to guess.
        assert!(
            refusal.text().starts_with("This form did not come from the status page. ")
                && !refusal.text().contains("http")
        );
    }
    let refusal = post(&program, "/accept", &proofless, &[HERE, ("accept-language", "zh-CN")]).await;
    assert!(refusal.text().starts_with("这个表单不是状态页面发出的。"), "{}", refusal.text());
    let address = program.app.admin_listening().unwrap();
    let get = send(address, request("GET", &format!("/accept?{form}"), &[HERE])).await;
    assert_eq!((get.status.as_u16(), get.header("allow")), (405, "POST"));
    assert_eq!(post(&program, "/", &form, &[HERE]).await.status, 405);
    let large = format!("{form}&more={}", "x".repeat(5000));
    assert_eq!(post(&program, "/accept", &large, &[HERE]).await.status, 400);
    assert_eq!(program.source("work").await["state"], "quarantine");

    let done = post(&program, "/accept", &form, &[HERE, ("sec-fetch-site", "same-origin")]).await;
    assert_eq!(done.status, 303);
    assert_eq!(done.header("location"), "/?lang=en&state=quarantine&page=1&feeds=1&done=accepted");
    let source = program.source("work").await;
    assert_eq!((&source["state"], &source["events"]), (&"fresh".into(), &2.into()));
    let page = program.admin(done.header("location")).await;
    assert!(page.text().contains("The answer was accepted."), "{}", page.text());
    assert_eq!(program.get(&program.path("me"), &[]).await.text().matches("BEGIN:VEVENT").count(), 2);
    // Sent again, as by a browser's button.
    let again = post(&program, "/accept", &form, &[HERE]).await;
    assert!(again.header("location").ends_with("&done=changed"), "{again:?}");
    // What the form says of the way back leads nowhere else.
    let back =
        encoded(&[("source", "work"), ("copy", &copy), ("proof", &proof), ("back", "//evil.example/?page=7&state=x")]);
    let again = post(&program, "/accept", &back, &[HERE]).await;
    assert_eq!(again.header("location"), "/?lang=en&page=1&feeds=1&done=changed");
    // It is on the disk too.
    let dir = program.stop().await;
    let store = Store::open(&dir.path().join("state"), Access::Visit).unwrap().known().unwrap();
    assert!(store.quarantined.is_empty() && store.snapshots.values().all(|copy| copy.entries == 2));
}

/// Nothing else has a deadline for what comes after a head, and what was not read is no next request.
#[tokio::test]
async fn a_form_that_does_not_come_is_not_waited_for_and_one_from_elsewhere_is_not_read() {
    let program = Program::start(ANYTHING).await;
    let to = program.app.admin_listening().unwrap();
    let form = "POST /accept HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4000\r\n";
    let patient = std::time::Duration::from_secs(25);
    for (more, expected) in [("", "HTTP/1.1 400"), ("Sec-Fetch-Site: cross-site\r\n", "HTTP/1.1 403")] {
        let asked = format!("{form}{more}\r\nsource=work");
        let heard = tokio::time::timeout(patient, raw(to, asked.as_bytes())).await.expect("it ends");
        let heard = String::from_utf8_lossy(&heard);
        assert!(heard.starts_with(expected) && heard.contains("connection: close\r\n"), "{heard}");
    }
}

/// Behind a proxy, everybody has the proxy's address.
#[tokio::test]
async fn who_tries_passwords_through_a_proxy_keeps_nobody_else_out() {
    let hash = Password::hash("correct horse").unwrap();
    let toml = format!("{ANYTHING}[server]\nadmin_password = '{hash}'\ntrusted_proxies = [\"127.0.0.1\"]\n");
    let program = Program::start(&toml).await;
    let address = program.app.admin_listening().unwrap();
    let ask = async |client: &str, password: &str| {
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("me:{password}"));
        let headers = [("authorization", &*format!("Basic {basic}")), ("x-forwarded-for", client)];
        send(address, request("GET", "/healthz", &headers)).await.status.as_u16()
    };
    assert_eq!(ask("203.0.113.1", "correct horse").await, 200);
    let mut tries = 0;
    while ask("203.0.113.1", &format!("wrong {tries}")).await == 401 {
        tries += 1;
        assert!(tries < 30, "tries are not counted");
    }
    assert_eq!(ask("203.0.113.1", "correct horse").await, 429);
    assert_eq!(ask("203.0.113.2", "correct horse").await, 200);
}

#[tokio::test]
async fn both_languages_say_everything_and_neither_says_a_secret() {
    let (upstream, program) = with_quarantine().await;
    program.get(&program.path("me"), &[]).await;
    for (headers, path, words) in [
        (&[("accept-language", "zh-CN,zh;q=0.9")][..], "/", ["服务器状态", "搁置", "接受"]),
        (&[("accept-language", "zh-CN")], "/?lang=en", ["Status of this server", "kept aside", "Accept it"]),
    ] {
        let reply = send(program.app.admin_listening().unwrap(), request("GET", path, headers)).await;
        let page = reply.text();
        for word in words {
            assert!(page.contains(word), "{word} is missing in {page}");
        }
        // A message that is missing shows as its name.
        for prefix in ["status-", "source-", "feed-", "device-", "way-", "state-", "error-", "fix-", "aside-", "in-"] {
            assert!(!page.contains(&format!(">{prefix}")), "{prefix} in {page}");
        }
        for device in 0..2 {
            let secret = super::harness::program::path(&program.app, "me", device);
            assert!(!page.contains(secret.trim_start_matches('/').trim_end_matches(".ics")));
        }
        assert!(!page.contains("basic.ics") && !page.contains(&upstream.address.to_string()));
        let policy = reply.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("script"), "{policy}");
        assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"), "{page}");
        assert_eq!(reply.header("cache-control"), "private, no-store");
        assert_eq!(reply.header("x-frame-options"), "DENY");
        // With none at all, a browser names no origin for the form.
        assert_eq!(reply.header("referrer-policy"), "same-origin");
    }
}

#[tokio::test]
async fn names_that_are_markup_are_shown_as_they_are() {
    let upstream = Upstream::start().await;
    upstream.on("/a/basic.ics", calendar(harness::calendar(3, "x")));
    let toml = format!(
        "[fetch]\nallow_private = true\n[source.work]\nurl = \"{}\"\n[feed.me]\nsources = [\"work\"]\n\
         [[feed.me.rule]]\nname = '</style><b>&\"x'\nwhen = {{ summary = \"nothing\" }}\ndrop = true\n",
        upstream.url("/a/basic.ics")
    );
    let program = Program::start(&toml).await;
    eventually("the first copy", async || program.source("work").await["events"] == 3).await;
    program.get(&program.path("me"), &[("user-agent", "<i>/1")]).await;
    let page = program.admin("/?lang=en").await.text().to_owned();
    assert!(page.contains("&lt;/style&gt;&lt;b&gt;&amp;&quot;x") && page.contains("applied to nothing"), "{page}");
    assert!(!page.contains("<b>") && !page.contains("<i>") && page.matches("</style>").count() == 1);
    let hostile =
        program.admin("/?lang=%3Cb%3E&state=%22%3E&page=-1&feeds=99999999999999999999&done=%3Cscript%3E").await;
    assert_eq!(hostile.status, 200);
    assert!(!hostile.text().contains("<script") && !hostile.text().contains("&quot;&gt;"));
}

#[tokio::test]
async fn what_a_device_fetched_is_counted_for_it_and_outlives_a_reload() {
    let upstream = Upstream::start().await;
    upstream.on("/a/basic.ics", calendar(harness::calendar(30, "meeting")));
    let url = upstream.url("/a/basic.ics");
    let toml = |devices: &str| {
        format!(
            "[fetch]\nallow_private = true\n[source.work]\nurl = \"{url}\"\n[feed.me]\nsources = [\"work\"]\ndevices = [{devices}]\n"
        )
    };
    let mut program = Program::start(&toml("\"phone\", \"tablet\"")).await;
    eventually("the first copy", async || program.source("work").await["events"] == 30).await;
    let phone = path(&program.app, "me", 0);
    let plain = program.get(&phone, &[("user-agent", "ICSx5/2.2")]).await;
    let packed = program.get(&phone, &[("accept-encoding", "gzip"), ("user-agent", "<b>/1")]).await;
    let etag = packed.header("etag").to_owned();
    for agent in ["iOS/26 accountsd/1.0", "iOS/26 dataaccessd/1.0"] {
        let headers = [("accept-encoding", "gzip"), ("if-none-match", &*etag), ("user-agent", agent)];
        assert_eq!(program.get(&phone, &headers).await.status, 304);
    }
    send(program.address(), request("HEAD", &phone, &[])).await;
    program.get("/AAAAAAAAAAAAAAAAAAAAAAAA.ics", &[]).await;
    let devices =
        async |program: &Program| program.admin("/status.json").await.json()["feeds"]["me"]["devices"].clone();
    let seen = devices(&program).await;
    let (all, small) = (plain.body.len(), packed.body.len());
    assert_eq!(seen["phone"]["full_answers"], 2);
    assert_eq!(seen["phone"]["unchanged_answers"], 2);
    assert_eq!(seen["phone"]["sent_bytes"], all + small);
    assert_eq!(seen["phone"]["saved_by_unchanged_bytes"], 2 * small);
    assert_eq!(seen["phone"]["saved_by_compression_bytes"], all - small);
    assert_eq!(seen["phone"]["client"], "iOS");
    assert!(seen["phone"]["last_fetch"].is_string() && seen["tablet"]["last_fetch"].is_null());
    let page = program.admin("/?lang=en").await.text().to_owned();
    assert!(page.contains("Fetched just now with iOS") && page.contains("2 × 200, 2 × 304"), "{page}");
    assert!(page.contains("Has not fetched since the program started"));

    let other = settings(program.dir.path(), &toml("\"phone\", \"laptop\""));
    program.app.reload(other).await.unwrap();
    let after = devices(&program).await;
    assert_eq!(after["phone"], seen["phone"]);
    assert_eq!(after["laptop"]["full_answers"], 0);
    assert!(after["tablet"].is_null());
}

#[tokio::test]
async fn a_password_keeps_everybody_else_out_and_tries_are_counted() {
    let hash = Password::hash("correct horse").unwrap();
    let toml = format!("{ANYTHING}[server]\nadmin_password = '{hash}'\n");
    let program = Program::start(&toml).await;
    let address = program.app.admin_listening().unwrap();
    let basic = |user: &str, password: &str| {
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
    };
    let get = async |path: &str, credentials: &str| {
        let headers = [("authorization", credentials)];
        send(address, request("GET", path, if credentials.is_empty() { &[] } else { &headers })).await
    };
    for path in ["/", "/metrics", "/status.json", "/healthz", "/readyz", "/accept", "/x"] {
        for credentials in ["", "Basic", "Basic !", "Bearer x", &basic("me", &"x".repeat(2000))] {
            let reply = get(path, credentials).await;
            assert_eq!(reply.status, 401, "{path} {credentials}");
            assert_eq!(reply.header("www-authenticate"), "Basic realm=\"calferry\", charset=\"UTF-8\"");
            assert_eq!(reply.text(), "A password is needed.\n");
        }
    }
    let chinese = [("accept-language", "zh-CN")];
    assert_eq!(send(address, request("GET", "/", &chinese)).await.text(), "需要密码。\n");
    assert_eq!(post(&program, "/accept", "source=work", &[HERE]).await.status, 401);
    let right = basic("anybody", "correct horse");
    for path in ["/", "/metrics", "/status.json", "/healthz"] {
        assert_eq!(get(path, &right).await.status, 200, "{path}");
    }
    assert!(
        !get("/", &right).await.text().contains("argon2")
            && !get("/status.json", &right).await.text().contains("argon2")
    );
    let mut refused = 0;
    while get("/", &basic("me", &format!("wrong {refused}"))).await.status == 401 {
        refused += 1;
        assert!(refused < 30, "tries are not counted");
    }
    assert!(refused >= 10, "{refused}");
    // While they have to wait, the right one is not told from the wrong ones either.
    let waits = get("/", &right).await;
    assert_eq!(waits.status, 429);
    assert!((1..=60).contains(&waits.header("retry-after").parse().unwrap()));
    assert_eq!(waits.text(), "Too many wrong passwords.\n");
    let in_chinese = [("accept-language", "zh-CN"), ("authorization", &*right)];
    let waits = send(address, request("GET", "/", &in_chinese)).await;
    assert_eq!((waits.status.as_u16(), waits.text()), (429, "输错密码的次数太多，请稍后再试。\n"));
}

#[tokio::test]
async fn others_are_let_near_only_where_there_is_a_password() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("calferry.toml");
    let load = |toml: &str| {
        std::fs::write(&path, format!("{ANYTHING}{toml}")).unwrap();
        let state = ("state_dir", dir.path().join("state").to_str().unwrap().to_owned());
        Settings::load(&Origin::File(path.clone()), &Given(vec![state]), &[])
    };
    let refused = load("[server]\nadmin_listen = \"0.0.0.0:0\"\n").unwrap_err().to_string();
    assert!(refused.contains("server.admin_listen") && refused.contains("admin_password"), "{refused}");
    let refused = load("[server]\nadmin_password = \"correct horse\"\n").unwrap_err().to_string();
    assert!(refused.contains("server.admin_password") && !refused.contains("correct"), "{refused}");
    let hash = Password::hash("correct horse").unwrap();
    let open =
        load(&format!("[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"0.0.0.0:0\"\nadmin_password = '{hash}'\n"))
            .unwrap();
    assert!(open.warnings.iter().any(|warning| warning.to_string().contains("not encrypted")), "{:?}", open.warnings);
    assert!(!format!("{open:?}").contains("argon2"));
    let app = App::start(open).await.unwrap();
    let port = app.admin_listening().unwrap().port();
    let reply = send(([127, 0, 0, 1], port).into(), request("GET", "/", &[])).await;
    assert_eq!(reply.status, 401);
}

/// Ten thousand sources that nobody can reach, each with a feed.
#[tokio::test]
async fn ten_thousand_sources_are_shown_page_by_page_and_quickly() {
    let mut toml = String::from("[fetch]\nallow_private = true\n");
    for number in 0..10_000 {
        toml.push_str(&format!(
            "[source.s{number:05}]\nurl = \"http://127.0.0.1:9/{number}\"\n[feed.f{number:05}]\nsources = [\"s{number:05}\"]\n"
        ));
    }
    let program = Program::start(&toml).await;
    let shown = |page: &str| -> Vec<String> {
        page.split("<li class=\"card source")
            .skip(1)
            .map(|card| card.split("class=\"name\">").nth(1).unwrap()[..6].to_owned())
            .collect()
    };
    let started = Instant::now();
    let first = program.admin("/?lang=en").await.text().to_owned();
    let took = started.elapsed();
    println!("a page of 10,000 sources took {took:?}, {} bytes", first.len());
    // The bar is 0.3 s for the program as it is released.
    assert!(took.as_millis() < 3_000, "{took:?}");
    assert_eq!(shown(&first).len(), 100);
    assert!(first.contains("Page 1 of 100") && first.contains("All 10000"), "{}", &first[..3000]);
    let last = program.admin("/?lang=en&page=100&feeds=100").await.text().to_owned();
    assert_eq!(shown(&last).len(), 100);
    assert!(last.contains("Page 100 of 100") && last.contains("f09999"));
    let beyond = program.admin("/?lang=en&page=101").await.text().to_owned();
    assert!(beyond.contains("Page 100 of 100"));
    let none = program.admin("/?lang=en&state=fresh").await.text().to_owned();
    assert!(none.contains("Nothing to show.") && shown(&none).is_empty());
}
