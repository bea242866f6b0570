//! Subscribers as they are, by the headers they really send.

use std::time::{Duration, SystemTime};

use super::harness::program::Program;
use super::harness::upstream::{Upstream, calendar};
use super::harness::{self, eventually};

async fn program() -> (Upstream, Program) {
    program_with("").await
}

async fn program_with(server: &str) -> (Upstream, Program) {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(harness::calendar(3, "meeting")));
    let toml = format!(
        "[fetch]\nallow_private = true\n[server]\nmodified_since_margin = \"2m\"\n{server}\n[source.work]\nurl = \"{}\"\n\
         [feed.me]\nsources = [\"work\"]\n",
        upstream.url("/a.ics")
    );
    let program = Program::start(&toml).await;
    eventually("the first copy", async || program.source("work").await["events"] == 3).await;
    (upstream, program)
}

#[tokio::test]
async fn ios_sends_its_own_clock_and_gets_304_only_well_after_the_last_change() {
    let (_upstream, program) = program().await;
    let path = program.path("me");
    let ios = [
        ("user-agent", "iOS/18.0 (22A3354) dataaccessd/1.0"),
        ("accept", "text/calendar"),
        ("accept-language", "zh-CN,zh-Hans;q=0.9"),
        ("accept-encoding", "gzip, deflate, br"),
        ("x-apple-bad-iphone-no-cookie", "True"),
    ];
    let first = program.get(&path, &ios).await;
    assert_eq!(first.status, 200);
    let published = httpdate::parse_http_date(first.header("last-modified")).unwrap();
    let with_clock = async |since: SystemTime| {
        let since = httpdate::fmt_http_date(since);
        let headers: Vec<_> = ios.into_iter().chain([("if-modified-since", since.as_str())]).collect();
        program.get(&path, &headers).await.status.as_u16()
    };
    assert_eq!(with_clock(published).await, 200, "imported in the very second of the change");
    assert_eq!(with_clock(published + Duration::from_mins(1)).await, 200, "within the margin");
    assert_eq!(with_clock(published + Duration::from_mins(2)).await, 304);
    assert_eq!(with_clock(published - Duration::from_hours(48)).await, 200);
    assert_eq!(with_clock(published + Duration::from_hours(48)).await, 200, "a phone whose clock is two days ahead");
}

#[tokio::test]
async fn icsx5_replays_both_validators() {
    let (_upstream, program) = program().await;
    let path = program.path("me");
    let icsx5 = [
        ("user-agent", "ICSx5/2.3 (okhttp/4.12.0) Android/14"),
        ("accept", "text/calendar, */*;q=0.9"),
        ("accept-encoding", "gzip"),
    ];
    let first = program.get(&path, &icsx5).await;
    assert_eq!(first.status, 200);
    let validators = [("if-none-match", first.header("etag")), ("if-modified-since", first.header("last-modified"))];
    let headers: Vec<_> = icsx5.into_iter().chain(validators).collect();
    assert_eq!(program.get(&path, &headers).await.status, 304);
}

#[tokio::test]
async fn thunderbird_sends_the_tag_alone() {
    let (_upstream, program) = program().await;
    let path = program.path("me");
    let thunderbird = [
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.5.0"),
        ("accept", "text/calendar,text/plain;q=0.8,*/*;q=0.5"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("cache-control", "no-cache"),
        ("pragma", "no-cache"),
    ];
    let first = program.get(&path, &thunderbird).await;
    assert_eq!(first.status, 200);
    let headers: Vec<_> = thunderbird.into_iter().chain([("if-none-match", first.header("etag"))]).collect();
    assert_eq!(program.get(&path, &headers).await.status, 304);
}

#[tokio::test]
async fn outlooks_authorization_header_is_ignored() {
    let (_upstream, program) = program().await;
    let outlook = [
        ("user-agent", "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17928; Pro)"),
        ("authorization", "Bearer"),
        ("x-ms-cookieuri-requested", "t"),
        ("accept-encoding", "gzip, deflate"),
    ];
    let reply = program.get(&program.path("me"), &outlook).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-encoding")), (200, "gzip"));
    assert!(reply.header("www-authenticate").is_empty());
}

#[tokio::test]
async fn cloudflare_may_weaken_the_tag_and_change_the_coding() {
    let (_upstream, program) = program().await;
    let path = program.path("me");
    let brotli = program.get(&path, &[("accept-encoding", "br, gzip")]).await;
    let weakened = format!("W/{}", brotli.header("etag"));
    for coding in ["gzip", "br, gzip", "identity"] {
        let reply = program.get(&path, &[("accept-encoding", coding), ("if-none-match", &weakened)]).await;
        assert_eq!(reply.status, 304, "{coding}");
    }
}

#[tokio::test]
async fn an_edge_cache_is_asked_to_keep_answers_only_if_the_settings_say_so_and_never_by_what_phones_read() {
    let (_upstream, program) = program().await;
    let plain = program.get(&program.path("me"), &[]).await;
    for name in ["cdn-cache-control", "cloudflare-cdn-cache-control"] {
        assert!(plain.headers.get(name).is_none(), "{name}");
    }
    let (_upstream, program) = program_with("edge_cache = \"5m\"").await;
    let path = program.path("me");
    let found = program.get(&path, &[]).await;
    let not_modified = program.get(&path, &[("if-none-match", found.header("etag"))]).await;
    assert_eq!((found.status.as_u16(), not_modified.status.as_u16()), (200, 304));
    for answer in [&found, &not_modified] {
        for name in ["cdn-cache-control", "cloudflare-cdn-cache-control"] {
            assert_eq!(answer.header(name), "max-age=300, stale-while-revalidate=300, stale-if-error=86400");
        }
        assert_eq!(answer.header("cache-control"), "private, no-cache");
    }
    // A wrong answer, a question about health and a limit are never kept.
    for path in ["/nothing.ics".to_owned(), path.replace(".ics", "/health"), "/healthz".to_owned()] {
        let answer = program.get(&path, &[]).await;
        assert!(answer.headers.get("cdn-cache-control").is_none() && answer.header("cache-control") == "no-store");
    }
}

#[tokio::test]
async fn with_an_edge_cache_a_phones_date_counts_only_after_what_the_edge_may_have_kept() {
    let (_upstream, program) = program_with("edge_cache = \"5m\"").await;
    let path = program.path("me");
    let published = httpdate::parse_http_date(program.get(&path, &[]).await.header("date")).unwrap();
    let since = async |minutes| {
        let date = httpdate::fmt_http_date(published + Duration::from_mins(minutes));
        program.get(&path, &[("if-modified-since", &date)]).await.status.as_u16()
    };
    // Twice five minutes at the edge, and two for the phone's clock; but no clock runs that far ahead.
    assert_eq!((since(2).await, since(11).await, since(13).await), (200, 200, 200));
}
