//! Sources that give no calendar from here, and by which way.

use super::super::harness;
use super::super::harness::front::{Front, Manner};
use super::super::harness::proxy::{self, Proxy};
use super::super::harness::upstream::{Upstream, answer, calendar};
use super::{SECRET, Scene, path};

#[tokio::test]
async fn every_source_is_tried_and_what_is_wrong_with_it_is_told() {
    let upstream = Upstream::start().await;
    upstream.on(&path("busy"), answer("429 Too Many Requests", &[], ""));
    upstream.on(&path("closed"), answer("403 Forbidden", &[], ""));
    upstream.on(&path("page"), answer("200 OK", &[], format!("<html>{SECRET}")));
    upstream.on(&path("far"), calendar(harness::calendar(3, "far")));
    let elsewhere = format!("http://localhost:{}{}", upstream.address.port(), path("far"));
    upstream.on(&path("moved"), answer("301 Moved Permanently", &[("Location", &elsewhere)], ""));
    let refusing = Proxy::start(proxy::Manner::Refuse).await;
    let mut more = String::new();
    for (name, address, egress) in [
        ("busy", upstream.url(&path("busy")), String::new()),
        ("reset", upstream.url(&path("reset")), String::new()),
        ("closed", upstream.url(&path("closed")), String::new()),
        ("page", upstream.url(&path("page")), String::new()),
        ("moved", upstream.url(&path("moved")), String::new()),
        ("away", format!("http://nowhere.invalid{}", path("away")), String::new()),
        (
            "ways",
            upstream.url(&path("far")),
            format!("egress = [\"http://lin:pass@{}\", \"direct\"]\n", refusing.address),
        ),
    ] {
        more.push_str(&format!("[source.{name}]\nurl = \"{address}\"\n{egress}"));
    }
    let scene = Scene::with(&more).await;
    let front = Front::start(scene.program.address(), Some(scene.good_tls()), Manner::Honest).await;
    for (source, expected) in [
        ("work", &[][..]),
        ("busy", &[("source_throttled", "error")]),
        ("reset", &[("source_reset", "error")]),
        ("closed", &[("source_denied", "error")]),
        ("page", &[("source_failed", "error")]),
        ("moved", &[("source_moved", "warning")]),
        ("away", &[("source_unreachable", "error")]),
        ("ways", &[("source_way_failed", "warning")]),
    ] {
        let report = scene.look(front.address, &["--source", source]).await;
        report.is(expected);
        let subject = format!("\"subject\": \"source {source}\"");
        assert!(report.said.contains(&subject) && report.said.matches("\"source ").count() <= 2, "{}", report.said);
    }
    let report = scene.look(front.address, &[]).await;
    let subjects: Vec<_> =
        report.findings.iter().filter_map(|finding| finding["subject"].as_str()?.strip_prefix("source ")).collect();
    assert_eq!(subjects.len(), 10, "two have a remark and an answer: {}", report.said);
    assert_eq!(report.code, 1);
    assert!(
        report.words("source_way_failed").starts_with("way 1 (http) fails: the proxy does not lead"),
        "{}",
        report.said
    );
    assert_eq!(report.words("source_moved"), "it has moved to localhost for good");
    let without = scene.look(front.address, &["--skip-sources"]).await;
    assert!(without.code == 0 && !without.said.contains("\"source "), "{}", without.said);
    let chinese = scene.look(front.address, &["--lang", "zh", "--source", "reset"]).await;
    assert!(
        chinese.words("source_reset").starts_with("它的私密地址被重置了，或者不对：主机不认识这个地址（HTTP 404）"),
        "{}",
        chinese.said
    );
}
