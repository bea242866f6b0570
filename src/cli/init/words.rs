//! What `calferry init` says and asks, in both languages side by side. What stands in braces is filled in.

use super::super::texts::texts;
use crate::doctor::Language;
use crate::source::Mistake;

texts! {
    Address: "Paste the calendar's secret address. In Google Calendar, on a computer: Settings, your calendar, Integrate calendar, \"Secret address in iCal format\".",
        "请粘贴日历的私密地址。在电脑上打开 Google 日历：“设置”→你的日历→“集成日历”→“iCal 格式的私密地址”。";
    NoAddress: "no address: give one as an argument, or by --address-file (- is standard input)",
        "没有地址：请作为参数给出，或用 --address-file 给出（- 表示标准输入）";
    NoAnswer: "standard input ended before the answer; for scripts there are --yes and options for every question, see calferry init --help",
        "标准输入在回答之前就结束了；脚本请用 --yes，每个问题都有对应的选项，见 calferry init --help";
    NoFile: "the file of --address-file cannot be read: {error}", "--address-file 的文件读不了：{error}";
    Exists: "{path} is there already and stays as it is; to begin anew move it away, or name another file with --config",
        "{path} 已经存在，保持原样；要重新开始，请先把它移走，或用 --config 指定另一个文件";
    Trying: "fetching the calendar from {host}", "正在从 {host} 抓取日历";
    Works: "The calendar can be fetched: events: {events}.", "日历可以抓取：共 {events} 个日程。";
    Fails: "The calendar cannot be fetched: {why}", "日历抓取不了：{why}";
    AllowPrivate: "Is the calendar on your own network, and may it be fetched from there?", "日历是在你自己的网络里，并允许从那里抓取吗？";
    KeepAnyway: "Keep this address all the same?", "仍然使用这个地址吗？";
    NotKept: "nothing was written; --offline writes the settings without trying the address", "什么也没有写；加 --offline 则不试地址就写出设置";
    Feed: "A short name for the calendar", "给日历起一个简短的名字";
    BadName: "{name} cannot be a name: it has letters of any script, digits, - and _ only, 64 at most", "{name} 不能作名字：只能用各种文字的字母、数字、- 和 _，最多 64 个";
    PublicUrl: "What will the phones' URLs start with, such as https://cal.example.com? Empty: only this machine for now.",
        "手机用的网址以什么开头，例如 https://cal.example.com？留空则暂时只在本机使用。";
    BadPublicUrl: "write it as https://cal.example.com, without a path", "请写成 https://cal.example.com 这样，不带路径";
    Devices: "The devices that will subscribe, with commas between; each has a URL of its own", "要订阅的设备，用逗号隔开；每台有自己的网址";
    DeviceTwice: "{name} is there twice", "{name} 出现了两次";
    Refused: "the settings would be refused:", "这样的设置会被拒绝：";
    Written: "Written, for you alone to read: {settings} and {secret}. The address is in a file of its own, so that the settings can be shown around without it.",
        "已写好，只有你能读：{settings} 和 {secret}。地址单独放在一个文件里，这样设置给别人看也不会泄露它。";
    Next: "What comes next:", "接下来：";
    NextServe: "serve it, and see the devices' URLs", "开始提供服务，并看到各设备的网址";
    NextCheck: "look at the settings again after a change", "修改设置后检查一遍";
    NextDoctor: "once phones should reach it, look at the way to it", "要让手机访问时，检查通路";
    NextUnit: "To let systemd run it, run these as root:", "要交给 systemd 运行，请以 root 执行以下命令：";
    LetSystemd: "Let systemd run it from now on?", "从现在起交给 systemd 运行吗？";
    InstallUnit: "Run as root with --install-unit, calferry init does all this by itself.", "以 root 执行 calferry init 并加上 --install-unit，这些会自动完成。";
    NotRoot: "--install-unit needs root, and nothing was written; without it, the commands are only shown", "--install-unit 需要 root，什么也没有写；不加它则只显示命令";
    StepFailed: "the settings are written, but this command failed; put it right and run it and those after it: {command}", "设置已写好，但这条命令失败了；请排除原因，再执行它和后面的命令：{command}";
    Installed: "systemd runs it from now on. The devices' URLs: {command}", "从现在起由 systemd 运行。查看各设备的网址：{command}";
    FileHead: "Settings of calferry. All keys are described in its README.\nAfter a change: calferry check. A running server follows by itself.",
        "calferry 的设置。所有的键见 README。\n修改之后请运行 calferry check。运行中的服务器会自己跟上。";
    FilePublicUrl: "What the devices' URLs start with.", "设备网址的开头。";
    FileState: "Where the key, on which all URLs depend, and the copies are.", "密钥（所有网址都取决于它）和副本所在的目录。";
    FileSource: "Where the calendar is. The file holds the secret address, which is a password.\nrefresh = \"15m\" would say how often it is fetched.",
        "日历的来源。这个文件里是私密地址，它等于密码。\nrefresh = \"15m\" 表示多久抓取一次。";
    FileFeed: "What phones subscribe to. Each device has a URL of its own: calferry url, calferry qr.\nOthers come and go with calferry device add, revoke and rotate.",
        "手机订阅的内容。每台设备有自己的网址：calferry url、calferry qr。\n增减设备：calferry device add、revoke、rotate。";
}

/// What was pasted in the place of an address.
pub(super) fn mistake(mistake: Mistake, language: Language) -> String {
    if language == Language::English {
        return mistake.to_string();
    }
    let text = match mistake {
        Mistake::Empty => "地址是空的",
        Mistake::NotAUrl => "这不是网址；它应当以 https:// 开头",
        Mistake::Scheme => "只能抓取 https://、http:// 和 webcal:// 开头的地址",
        Mistake::GooglePage => {
            "这是 Google 日历网页的地址，不是日历的地址；请在电脑上打开 Google 日历的“设置”，在左边选择你的日历，复制“iCal 格式的私密地址”"
        }
        Mistake::GoogleShareLink => {
            "这是把日历添加到另一个 Google 账号的链接；请改为从日历的设置里复制“iCal 格式的私密地址”"
        }
        Mistake::GoogleEmbed => "这是把日历嵌入网页用的地址；请改为从日历的设置里复制“iCal 格式的私密地址”",
        Mistake::OutlookPage => "这是 Outlook 的 HTML 链接；请在“设置”→“日历”→“共享日历”里复制 ICS 链接",
        Mistake::ICloudPage => "这是 iCloud 的网页；请把日历共享为“公开日历”，再复制 webcal:// 链接",
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::super::texts::has_han;
    use super::*;

    #[test]
    fn every_wrong_address_is_explained_in_both() {
        for pasted in [
            "",
            "basic.ics",
            "ftp://example.com/a.ics",
            "https://calendar.google.com/calendar/u/0/r/week",
            "https://calendar.google.com/calendar/u/0?cid=bGluQGV4YW1wbGUuY29t",
            "https://calendar.google.com/calendar/embed?src=lin%40example.com",
            "https://outlook.office365.com/owa/calendar/a@b/c/calendar.html",
            "https://www.icloud.com/calendar/",
        ] {
            let wrong = crate::source::Address::parse(pasted).unwrap_err();
            let [english, chinese] = [Language::English, Language::Chinese].map(|language| mistake(wrong, language));
            assert!(english.is_ascii() && has_han(&chinese), "{pasted}");
        }
    }
}
