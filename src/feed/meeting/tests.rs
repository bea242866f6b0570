//! Links that are meetings, and links that only look like it.

use proptest::prelude::*;

use super::*;

fn link(text: &str) -> Option<String> {
    meeting_link(text, &MeetingHosts::with(&["Meet.Example.org".to_owned(), "https://x".to_owned()]))
}

/// The address stands between `«` and `»`, or behind `→`.
fn finds(texts: &[&str]) {
    for text in texts {
        let marked = || (text.replace(['«', '»'], ""), text.split(['«', '»']).nth(1).unwrap());
        let (text, wanted) = text.split_once(" → ").map_or_else(marked, |(text, wanted)| (text.to_owned(), wanted));
        assert_eq!(link(&text).as_deref(), Some(wanted), "{text}");
    }
}

#[test]
#[rustfmt::skip]
fn the_address_to_join_by_is_found_as_it_was_written() {
    finds(&[
        "«https://us02web.zoom.us/j/80000000001?pwd=AbC-d_E.1»", "Zoom «https://us02web.zoom.us/j/8?pwd=Demo»\nID: 8",
        "Join«http://zoom.us/j/1».", "(«https://zoom.us/my/li»)", "[«https://zoom.us/w/1»](https://zoom.us/w/2)",
        "会议：«https://zoom.com.cn/j/1?pwd=a%2Fb==»，密码：1", "「«https://zoom.us/j/1»」", "«https://zoom.us/j/1»（密码）",
        "点击«https://meeting.tencent.com/dm/abc»加入", "链接 «https://meeting.tencent.com/dm/AbC»\n#腾讯会议：1-2-3",
        "«https://vc.feishu.cn/j/123456789»。", "«https://meeting.dingtalk.com/j/cgTT»！", "《«https://whereby.com/li»》",
        "“«https://meet.jit.si/a»”", "**«HTTPS://ZOOM.US/j/1»**", "«https://us02web.zoom.us./j/1»", "«https://zoom.us:443/j/1»",
        "https://zoom.us/u/kE «https://zoom.us/j/1»", "https://zoom.us/download «https://zoom.us/meeting/register/x»",
        "https://zoom.us/webinar/register/x «https://zoom.us/j/1» https://zoom.us/j/2", "<b>«https://join.skype.com/a»</b>",
        "Need help?<https://aka.ms/Join>\nJoin<«https://teams.microsoft.com/l/meetup-join/19%3am%40thread.v2/0?c=%7b%22»>",
        "x https://example.com/, «https://teams.live.com/meet/9?p=x»", "https://x.y/a,«https://chime.aws/123»; b",
        "https://teams.microsoft.com/l/channel/1 «https://teams.microsoft.com/meet/2»", "«https://meet.example.org:8443/r»",
        "Options<https://teams.microsoft.com/meetingOptions/?a=1>«https://teams.microsoft.us/meet/1»",
        "-::~:~::~\nJoin: «https://meet.google.com/abc-defg-hij»\nhttps://tel.meet/abc-defg-hij?pin=1",
        "«https://acme.webex.com/acme/j.php?MTID=m1f»\nhttps://acme.webex.com/acme/globalcallin.php?MTID=1",
        "https://acme.webex.com/weblink/1 «https://acme.webex.com/meet/li»", "«https://facetime.apple.com/join#v=1&p=x»",
        "zoommtg://zoom.us/join?confno=1 «https://gotomeet.me/li»",
    ]);
}

#[test]
#[rustfmt::skip]
fn what_is_wrapped_around_an_address_comes_off() {
    finds(&[
        "https://www.google.com/url?q=https://zoom.us/j/1?p%3Da%252Fb&sa=D&source=calendar → https://zoom.us/j/1?p=a%2Fb",
        "<https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fzoom.us%2Fj%2F1&data=0> → https://zoom.us/j/1",
        "<a href=\"https://www.google.com.hk/url?a&amp;q=https://zoom.us/j/1%3Fa%3D1&amp;b\"> → https://zoom.us/j/1?a=1",
        "https://google.com/url?url=https://a.safelinks.protection.outlook.com/?url%3Dhttps%253A%252F%252Fzoom.us%252Fj\
         %252F1 → https://zoom.us/j/1",
        "https://urldefense.com/v3/__https://zoom.us/j/1?pwd=a__;!!A-b!c$ → https://zoom.us/j/1?pwd=a",
        "https://urldefense.proofpoint.com/v2/url?u=https-3A__zoom.us_j_1-3Fpwd-3Da-5Fb&d=x → https://zoom.us/j/1?pwd=a_b",
        "<a href=\"https://zoom.us/j/1?pwd=a&amp;x=1\"> → https://zoom.us/j/1?pwd=a&x=1",
        "<p>Join&lt;https://zoom.us/j/1?a=1&amp;b=2&gt;</p> → https://zoom.us/j/1?a=1&b=2",
        "plain https://zoom.us/j/1?a=1&amp;b=2 → https://zoom.us/j/1?a=1&amp;b=2",
    ]);
}

#[test]
#[rustfmt::skip]
fn an_address_that_only_looks_like_a_meeting_is_none() {
    let long = format!("https://zoom.us/j/1?pwd={}", "a".repeat(LONGEST));
    for text in [
        "", "://", "http://", "https://", "zoom.us/j/1", "ftp://zoom.us/j/1", "https://evil.com/j/1?x=https://zoom.us/j/1",
        "https://evilzoom.us/j/1", "https://zoom.us.evil.com/j/1", "https://zoom.us@evil.com/j/1", "https://a..zoom.us/j/1",
        "https://li:zoom.us@evil.com/j/1", "https://evil.com#@zoom.us/j/1", "https://evil.com\\@zoom.us/j/1",
        "https://zoom.us\\@evil.com/j/1", "https://zооm.us/j/1", "https://ｚoom.us/j/1", "https://xn--zm-emca.us/j/1",
        "https://zoom%2Eus/j/1", "https://zoom.us:8443/j/1", "https://.zoom.us/j/1", "https://-.zoom.us/j/1", "https://zoom.us",
        "https://zoom.us/", "https://zoom.us//", "https://zoom.us?/j/1", "https://zoom.us/u/kE", "https://zoom.us/download",
        "https://support.zoom.us/hc/1", "https://www.zoom.com/en/products/", "https://st1.zoom.us/a/logo.png", &long,
        "https://tel.meet/abc-defg-hij?pin=1", "https://dialin.teams.microsoft.com/1?id=2", "https://meet.google.com/new",
        "https://zoom.us/meeting/t1/ics?a=b", "https://urldefense.com/v3/__https://zoom.us/j/1*x__;Iw!!a$",
        "https://www.google.com/url?q=https%3A%2F%2Fevil.com%2Fj", "https://www.google.com/url?q=%00https://zoom.us/j/1",
        "https://www.google.com/url?q=%ff", "https://www.google.com/url?q=javascript://zoom.us/j/1",
    ] {
        assert_eq!(link(text), None, "{text}");
    }
}

#[test]
fn a_meet_block_is_whole_or_is_none() {
    let bar = format!("-::~:~::{}~:~::~:~::-", "~:".repeat(30));
    let whole = format!("会\n\n{bar}\nJoin: https://meet.google.com/a\n{bar}\nend");
    assert_eq!(whole[meet_block(&whole).unwrap()], whole[5..whole.len() - 4]);
    for (text, count) in [("-::~:~::-", 0), (&bar, 1), (&whole, 2), (&format!("{bar}x{bar}x{bar}"), 3)] {
        assert_eq!((bars(text), meet_block(text).is_some()), (count, count > 1), "{text}");
    }
    assert_eq!(meet_block(&whole.replacen("~:~", "~:~:~", 1)), None);
}

proptest! {
    #[test]
    fn any_text_is_read_and_what_comes_out_is_a_clean_address_of_a_listed_host(
        parts in prop::collection::vec(prop_oneof!["\\PC{0,4}", any::<String>(), prop::sample::select(
            "https://zoom.us http:// .zoom.us /j/1 . @ ?q= https://google.com/url % &amp; <p> :// \u{1} \\ , https://meet.example.org/ \
            -::~:~::~ ~::~:~::- https://urldefense.com/v3/__ __;".split(' ').collect::<Vec<_>>()).prop_map(str::to_owned)], 0..20)
    ) {
        let text = parts.concat();
        prop_assert!(meet_block(&text).is_none_or(|block| bars(&text[block]) == 2));
        if let Some(link) = link(&text) {
            let host = url::Url::parse(&link).unwrap().host_str().unwrap().trim_end_matches('.').to_owned();
            prop_assert!(below(&host, "zoom.us").or(below(&host, "meet.example.org")).is_some(), "{}", link);
            prop_assert!(link.len() <= LONGEST && link.bytes().all(|byte| byte.is_ascii_graphic()), "{}", link);
            prop_assert!(text.contains(&link) || text.contains(['%', '&']), "{}", link);
        }
    }
}
