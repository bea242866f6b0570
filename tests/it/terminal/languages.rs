//! The language of whoever sits there. What scripts read is the same in all.

use std::process::Stdio;

use super::super::harness;
use super::super::harness::upstream::{Upstream, calendar};
use super::{Desk, Done, done, interrupt, shown_until};

async fn in_chinese(desk: &Desk, arguments: &[&str]) -> Done {
    let mut command = desk.command(env!("CARGO_BIN_EXE_calferry"));
    done(command.args(arguments).env("LANG", "zh_CN.UTF-8").stdin(Stdio::null()).output().await.unwrap())
}

#[tokio::test]
async fn mistakes_are_told_in_the_environments_language_or_the_one_that_is_asked_for() {
    let desk = Desk::new("devices = [\"iphone\", \"ipad\"]\n");
    for (arguments, chinese, english) in [
        (&["url", "you"][..], "没有名为 \"you\" 的订阅源；现有的是：me", "no feed named \"you\""),
        (&["url", "--device", "x"], "没有哪个订阅源有名为 \"x\" 的设备", "no feed has a device named \"x\""),
        (&["qr", "me"], "哪台设备？请用 --device 指定；现有的是：iphone, ipad", "which device?"),
        (&["qr", "me", "--device", "x"], "订阅源 me 没有名为 \"x\" 的设备", "feed me has no device named \"x\""),
        (&["qr", "me", "--device", "ipad", "--png", "no/x.png"], "no/x.png 无法写入: 没有这个目录", "no such folder"),
        (&["device", "add", "me", "ipad"], "订阅源 me 已经有设备 ipad", "has a device ipad already"),
        (&["check", "--config", "none.toml"], "none.toml", "none.toml"),
    ] {
        let said = in_chinese(&desk, arguments).await;
        assert!(said.code == 1 && said.said.contains(chinese), "{}", said.said);
        let said = in_chinese(&desk, &[arguments, &["--lang", "en"]].concat()).await;
        assert!(said.code == 1 && said.said.contains(english), "{}", said.said);
        let said = desk.run(&[arguments, &["--lang", "zh"]].concat()).await;
        assert!(said.code == 1 && said.said.contains(chinese), "{}", said.said);
    }
    let empty = Desk::empty();
    for command in ["url", "check", "serve"] {
        let said = in_chinese(&empty, &[command]).await.said;
        assert!(said.contains("没有设置文件：") && said.contains("calferry init"), "{said}");
    }
}

#[tokio::test]
async fn a_device_comes_and_goes_in_chinese() {
    let desk = Desk::new("devices = [\"iphone\"]\n");
    let added = in_chinese(&desk, &["device", "add", "me", "ipad"]).await;
    assert!(added.out.starts_with("feed me  device ipad  https://cal.example.com/"), "for scripts: {}", added.out);
    assert_eq!(added.said, "calferry: 设置文件已修改；运行中的服务器几秒内生效\n");
    let rotated = in_chinese(&desk, &["device", "rotate", "me", "ipad", "--grace", "7d"]).await.said;
    assert!(rotated.contains("生效；旧网址到 2") && rotated.ends_with(" 为止有效，之后返回 410\n"), "{rotated}");
    let refused = in_chinese(&desk, &["device", "rotate", "me", "ipad"]).await.said;
    assert!(refused.contains("再换一次，它会立刻返回 410") && refused.contains("--force"), "{refused}");
    let revoked = in_chinese(&desk, &["device", "revoke", "me", "ipad"]).await.said;
    assert!(revoked.ends_with("；ipad 的网址从此返回 410\n"), "{revoked}");
}

#[tokio::test]
async fn sources_are_tried_in_chinese() {
    let upstream = Upstream::start().await;
    upstream.on("/a.ics", calendar(harness::calendar(1, "one")));
    let desk = Desk::empty();
    let source = |name: &str| format!("[source.{name}]\nurl = \"{}\"\n", upstream.url(&format!("/{name}.ics")));
    let text =
        format!("[fetch]\nallow_private = true\n{}{}[feed.me]\nsources = [\"a\", \"b\"]\n", source("a"), source("b"));
    std::fs::write(desk.path("calferry.toml"), text).unwrap();
    let checked = in_chinese(&desk, &["check", "--online"]).await.out;
    for line in [
        "设置：来源 2 个，订阅源 1 个，设备 1 台\n",
        "来源 a：日程 1 个，",
        "来源 b：not_found: 主机不认识这个地址（HTTP 404）。",
    ] {
        assert!(checked.contains(line), "{checked}");
    }
    let fetched = in_chinese(&desk, &["fetch", "b"]).await.said;
    assert!(fetched.contains("主机不认识这个地址（HTTP 404）。私密地址被重置了"), "{fetched}");
}

#[tokio::test]
async fn serve_and_the_demonstration_speak_chinese_to_the_one_at_the_terminal() {
    let desk = Desk::new("devices = \"a, b, c, d\"\n[server]\nlisten = \"127.0.0.1:0\"\n");
    let mut server = desk.on_terminal(&["serve", "--lang", "zh"]);
    let shown = shown_until(&mut server, "serving on").await;
    assert!(shown.contains("二维码：calferry serve --qr，或 calferry qr FEED --device DEVICE"), "{shown}");
    assert!(shown.contains("feed me  device a  https://"), "{shown}");
    interrupt(server).await;
    let narrow =
        done(desk.on_narrow_terminal(&["qr", "me", "--device", "a", "--lang", "zh"]).wait_with_output().await.unwrap());
    assert!(narrow.out.contains("终端太窄，放不下二维码：需要 41 列，现在是 30 列"), "{}", narrow.out);
}
