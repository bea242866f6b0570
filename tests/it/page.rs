//! The page that a browser gets at a subscription's address.

mod fresh;
mod words;

use std::io::Read;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use calferry::clock::Clock;

use super::harness::client::{Reply, request, send};
use super::harness::program::Program;
use super::harness::upstream::{Upstream, calendar};
use super::harness::{self, eventually};

const IPHONE: &str =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1";

async fn program_of(text: impl AsRef<[u8]>) -> (Upstream, Program) {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(text));
    let toml = format!(
        "[fetch]\nallow_private = true\n[source.work]\nurl = \"{}\"\n[feed.me]\nsources = [\"work\"]\n\
         devices = [\"iphone\"]\nrevoked = [\"old\"]\n",
        upstream.url("/a.ics")
    );
    let program = Program::start(&toml).await;
    eventually("the first copy", async || !program.source("work").await["events"].is_null()).await;
    (upstream, program)
}

async fn usual() -> (Upstream, Program) {
    program_of(harness::calendar(3, "meeting")).await
}

/// The path of the page of the first device of feed `me`.
fn path(program: &Program) -> String {
    program.path("me").strip_suffix(".ics").unwrap().to_owned()
}

/// A calendar with these events, each without the lines around it; `{today}` in them is today in UTC.
fn events(head: &str, events: &[String]) -> String {
    let today = Clock::System.now().date().format("%Y%m%d").to_string();
    let events: Vec<_> = events.iter().map(|event| format!("BEGIN:VEVENT\n{event}\nEND:VEVENT\n")).collect();
    let text = format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n{head}{}END:VCALENDAR\n", events.concat());
    text.replace("{today}", &today).replace('\n', "\r\n")
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    text.split(start).nth(1).unwrap_or_default().split(end).next().unwrap_or_default()
}

#[tokio::test]
async fn the_page_has_every_header_that_keeps_it_to_itself() {
    let (_upstream, program) = usual().await;
    let path = path(&program);
    let reply = program.get(&path, &[]).await;
    assert_eq!(reply.status, 200);
    let expected = [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "private, no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-robots-tag", "noindex, nofollow"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("vary", "Accept-Encoding, Accept-Language, User-Agent"),
        ("accept-ch", "Sec-CH-UA-Model"),
        ("set-cookie", ""),
        ("etag", ""),
        ("cdn-cache-control", ""),
    ];
    for (name, value) in expected {
        assert_eq!(reply.header(name), value, "{name}");
    }
    let (page, policy) = (reply.text(), reply.header("content-security-policy"));
    for (kind, start, end) in [("script", "<script>", "</script>"), ("style", "<style>", "</style>")] {
        assert_eq!(page.matches(&start[..start.len() - 1]).count(), 1);
        let hash = STANDARD.encode(digest(&SHA256, between(page, start, end).as_bytes()));
        assert!(policy.contains(&format!("{kind}-src 'sha256-{hash}';")), "{policy}");
    }
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe") && !policy.contains("http"));
    for attribute in [" style=", " onclick=", " src=", "@import", "url("] {
        assert!(!page.contains(attribute), "{attribute}");
    }
    let slashed = program.get(&format!("{path}/"), &[]).await;
    assert_eq!((slashed.status, slashed.body), (reply.status, reply.body));
    let head = send(program.address(), request("HEAD", &path, &[])).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(head.header("content-type"), "text/html; charset=utf-8");
}

#[tokio::test]
async fn the_page_is_compressed_as_the_browser_likes_it() {
    let (_upstream, program) = usual().await;
    let path = path(&program);
    let plain = program.get(&path, &[]).await;
    for (accepted, coding) in
        [("gzip, deflate, br, zstd", "br"), ("gzip, deflate", "gzip"), ("zstd", "zstd"), ("identity", "")]
    {
        let reply = program.get(&path, &[("accept-encoding", accepted)]).await;
        assert_eq!(reply.header("content-encoding"), coding);
        assert_eq!(decoded(&reply), plain.body);
    }
}

fn decoded(reply: &Reply) -> Vec<u8> {
    let mut text = Vec::new();
    match reply.header("content-encoding") {
        "br" => brotli::Decompressor::new(&reply.body[..], 4096).read_to_end(&mut text).unwrap(),
        "gzip" => flate2::read::GzDecoder::new(&reply.body[..]).read_to_end(&mut text).unwrap(),
        "zstd" => zstd::stream::Decoder::new(&reply.body[..]).unwrap().read_to_end(&mut text).unwrap(),
        _ => return reply.body.to_vec(),
    };
    text
}

#[tokio::test]
async fn unknown_pages_are_the_usual_404_and_revoked_ones_say_so_in_words() {
    let (_upstream, program) = usual().await;
    let mut unknown = Vec::new();
    for path in [
        "/AAAAAAAAAAAAAAAAAAAAAAAA.ics",
        "/AAAAAAAAAAAAAAAAAAAAAAAA",
        "/AAAAAAAAAAAAAAAAAAAAAAAA/",
        "/favicon.ico",
        "/a/b/",
        "//",
    ] {
        let mut reply = program.get(path, &[]).await;
        assert_eq!(reply.status, 404, "{path}");
        reply.headers.remove("date");
        unknown.push((reply.headers, reply.body));
    }
    unknown.dedup();
    assert_eq!(unknown.len(), 1);
    let old = program.app.key().token("me", "old", 0);
    let calendar = program.get(&format!("/{}.ics", old.reveal()), &[]).await;
    assert_eq!((calendar.status.as_u16(), calendar.text()), (410, "This subscription was revoked.\n"));
    let page = program.get(&format!("/{}", old.reveal()), &[("accept-language", "zh-CN")]).await;
    assert_eq!(page.status, 410);
    assert!(page.text().contains("这个订阅已经结束") && !page.text().contains(old.reveal()));
    assert_eq!(page.header("cache-control"), "private, no-store");
}

#[tokio::test]
async fn the_address_is_there_to_open_to_copy_and_to_scan() {
    let (_upstream, program) = usual().await;
    let url = format!("https://cal.example.com{}", program.path("me"));
    let reply = program.get(&path(&program), &[("user-agent", IPHONE)]).await;
    let page = reply.text();
    assert!(page.contains(&format!("href=\"{}\"", url.replace("https:", "webcal:"))));
    assert!(page.contains(&format!(">{url}</code>")));
    assert_eq!(scanned(page), url);
}

/// What a scanner reads of the page's code.
fn scanned(page: &str) -> String {
    let side: usize = between(page, "<div class=\"qr\"><svg viewBox=\"0 0 ", " ").parse().unwrap();
    let mut dark = vec![false; side * side];
    for run in between(page, "<path d=\"", "\"").split('M').skip(1) {
        let (from, rest) = run.split_once('h').unwrap();
        let (column, row) = from.split_once(' ').unwrap();
        let (column, row): (usize, usize) = (column.parse().unwrap(), row.parse().unwrap());
        let length: usize = rest.split('v').next().unwrap().parse().unwrap();
        dark[row * side + column..][..length].fill(true);
    }
    // A few pixels for each module, as a camera would see it.
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(side * 6, side * 6, |x, y| {
        if dark[y / 6 * side + x / 6] { 0 } else { 255 }
    });
    image.detect_grids()[0].decode().unwrap().1
}

#[tokio::test]
async fn hostile_texts_are_texts() {
    let evil = "</title></script><script>alert(1)</script><img src=x onerror=alert(1)>\" onmouseover=\"alert(1)";
    let event = format!(
        "UID:{evil}\nSUMMARY:{evil}\nLOCATION:{evil}\nDESCRIPTION:{evil}\nURL:javascript:alert(1)\nDTSTART:{{today}}T120000Z\nSTATUS:{evil}"
    );
    let joins = "UID:b\nSUMMARY:b\nX-GOOGLE-CONFERENCE:javascript:alert(1)//https://zoom.us/j/1\\\"><script>alert(1)</script>\nDTSTART:{today}T130000Z";
    let text = events(
        &format!("X-WR-CALNAME:{evil}\nX-WR-TIMEZONE:{evil}\nX-APPLE-CALENDAR-COLOR:#000000\" onload=\"alert(1)\n"),
        &[event, joins.to_owned()],
    );
    let (_upstream, program) = program_of(text).await;
    let query = "?lang=%22%3E%3Cscript%3E&tz=%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    for query in ["", query, "?tz=Europe/Berlin&lang=zh-Hans", "?&&&=&tz=&lang=", "?tz=%00%ff"] {
        let reply = program
            .get(&format!("{}{query}", path(&program)), &[("user-agent", evil), ("accept-language", evil)])
            .await;
        assert_eq!(reply.status, 200);
        let page = reply.text();
        assert_eq!((page.matches("<script").count(), page.matches("</script>").count()), (1, 1));
        assert_eq!((page.matches("</title").count(), page.matches("<img").count()), (1, 0));
        assert!(
            !page.contains("href=\"javascript:") && !page.contains("\" onmouseover") && !page.contains("onload=\"")
        );
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "it is shown as it is written");
    }
}

#[tokio::test]
async fn the_visitors_device_comes_first_and_the_others_are_folded() {
    let (_upstream, program) = usual().await;
    let agents = [
        (IPHONE, "iPhone, iPad", "Remove Alarms"),
        (
            "Mozilla/5.0 (Linux; U; Android 14; zh-cn; 23127PN0CC) XiaoMi/MiuiBrowser/18.5",
            "Xiaomi, Redmi, POCO (HyperOS, MIUI)",
            "Autostart",
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; HarmonyOS; NOH-AN00; HMSCore 6.13)",
            "Huawei (HarmonyOS, EMUI)",
            "App launch",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; V2309A) VivoBrowser/20.8",
            "OPPO, OnePlus, realme, vivo, iQOO, Honor",
            "ICSx⁵",
        ),
        ("Mozilla/5.0 (Linux; Android 14; SM-S9280) SamsungBrowser/27.0", "Samsung", "never sleep"),
        ("Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/130.0", "Other Android phones", "DAVx⁵"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/130.0", "Windows: Outlook", "From Internet"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15", "Mac", "Auto-refresh"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0", "Thunderbird", "On the Network"),
    ];
    for (agent, name, step) in agents {
        let reply = program.get(&path(&program), &[("user-agent", agent)]).await;
        let first = between(reply.text(), "How to subscribe", "<details");
        assert!(first.contains(&format!("<h3>{name}</h3>")) && first.contains(step), "{agent}: {first}");
        assert_eq!(reply.text().matches("<details class=\"device\"").count(), 8);
    }
    let reply = program.get(&path(&program), &[("user-agent", "curl/8")]).await;
    assert_eq!(reply.text().matches("<details class=\"device\"").count(), 9);
}

/// A stock phone of these makers has nothing that opens the address: what works there comes first.
#[tokio::test]
async fn where_nothing_opens_an_address_copying_it_comes_first() {
    let (_upstream, program) = usual().await;
    let url = format!("cal.example.com{}", program.path("me"));
    let chrome = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36";
    let wechat = format!("{chrome} MicroMessenger/8.0.50");
    // Of these, whether copying comes first, and whether it is WeChat's browser.
    for (agent, copies, in_wechat) in [
        (IPHONE, false, false),
        (chrome, true, false),
        (&wechat, true, true),
        (&format!("{IPHONE} MicroMessenger/8.0.50"), false, true),
    ] {
        for language in ["en", "zh-Hans"] {
            let page = program.get(&format!("{}?lang={language}", path(&program)), &[("user-agent", agent)]).await;
            let page = page.text();
            let (button, link) = (page.find("<button").unwrap(), page.find("<a class=\"button").unwrap());
            assert_eq!(button < link, copies, "{agent}");
            let (main, scheme) = if copies {
                ("<button class=\"button main\"", "webcals")
            } else {
                ("<a class=\"button main\"", "webcal")
            };
            assert!(page.contains(main) && page.contains(&format!("href=\"{scheme}://{url}\"")), "{agent}: {page}");
            assert_eq!(["leads somewhere only once", "才有用"].iter().any(|words| page.contains(words)), copies);
            assert_eq!(["Inside WeChat", "在微信里"].iter().any(|words| page.contains(words)), in_wechat);
        }
    }
    // What a phone's browser says of it when it is asked.
    let said = [("user-agent", chrome), ("sec-ch-ua-model", "\"23127PN0CC\"")];
    let page = program.get(&path(&program), &said).await;
    assert!(page.text().contains("<h3>Xiaomi, Redmi, POCO"), "{}", page.text());
}

#[tokio::test]
async fn the_agenda_is_on_the_clocks_that_are_asked_for_and_else_on_the_calendars_own() {
    let zoned = "UID:a\nSUMMARY:Call\nDTSTART:{today}T120000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY\nLOCATION:https://zoom.us/j/123?pwd=a&b=c\n\
                 DESCRIPTION:<b>Secret</b> words";
    let (_upstream, program) = program_of(events("X-WR-TIMEZONE:Asia/Shanghai\n", &[zoned.to_owned()])).await;
    let at = async |query: &str| program.get(&format!("{}{query}", path(&program)), &[]).await.text().to_owned();
    let own = at("").await;
    assert!(own.contains(">20:00–21:00<") && own.contains("<option value=\"Asia/Shanghai\" selected>"));
    assert!(own.contains("data-zone=\"Asia/Shanghai\""));
    let other = at("?tz=Asia/Kolkata").await;
    assert!(other.contains(">17:30–18:30<") && other.contains("<option value=\"Asia/Kolkata\" selected>"));
    assert!(at("?tz=Nowhere/Land").await.contains(">20:00–21:00<"));
    assert!(own.contains("href=\"https://zoom.us/j/123?pwd=a&amp;b=c\""));
    // What is told of an event is folded, and formatting is left out.
    assert!(own.contains("<summary>Details</summary><p class=\"notes\">Secret words</p>"));
}

#[tokio::test]
async fn a_page_of_a_large_calendar_stays_small() {
    let noise = |seed: u32, length: usize| -> String {
        let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        let hash = blake3::hash(&seed.to_le_bytes());
        let mut bytes = vec![0; length];
        blake3::Hasher::new().update(hash.as_bytes()).finalize_xof().fill(&mut bytes);
        bytes.iter().map(|byte| letters.as_bytes()[usize::from(*byte) % letters.len()] as char).collect()
    };
    // All on the days that are shown, and of the kind that does not compress.
    let many: Vec<_> = (0..20_000)
        .map(|at: u32| {
            let (title, place, notes) = (noise(at, 60), noise(at + 1, 60), noise(at + 2, 900));
            format!("UID:{at}\nSUMMARY:{title}\nLOCATION:{place}\nDESCRIPTION:{notes}\nDTSTART:{{today}}T{:02}0000Z\nDURATION:P{}D", at % 24, at % 20)
        })
        .collect();
    let (_upstream, program) = program_of(events("", &many)).await;
    for coding in ["br", "gzip"] {
        let reply = program.get(&path(&program), &[("accept-encoding", coding)]).await;
        assert!(reply.body.len() <= 60_000, "{coding}: {} bytes", reply.body.len());
        let page = String::from_utf8(decoded(&reply)).unwrap();
        assert!(page.contains("more events are not shown here"));
    }
}
