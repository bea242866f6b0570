//! What `serve`, `check`, `url`, `qr`, `device` and `demo` say to the one who has typed them, in both languages side by side.
//! Lines that scripts read, such as `feed NAME  device NAME  URL`, and the log are the same in both.

use super::texts::texts;

texts! {
    NoSettings: "there is no settings file, neither {here} nor {usual}; make one with calferry init, name another with --config, or serve one calendar without any: calferry serve URL",
        "没有设置文件：{here} 和 {usual} 都不存在。请用 calferry init 生成一个，或用 --config 指定别处的文件；不用设置文件也能提供一份日历：calferry serve URL";
    NoFeed: "no feed named {name}; the feeds are: {known}", "没有名为 {name} 的订阅源；现有的是：{known}";
    NoDevice: "feed {feed} has no device named {name}; its devices are: {known}", "订阅源 {feed} 没有名为 {name} 的设备；现有的是：{known}";
    NoDeviceAnywhere: "no feed has a device named {name}; the feeds and their devices are: {known}",
        "没有哪个订阅源有名为 {name} 的设备；各订阅源及其设备：{known}";
    WhichDevice: "which device? name one with --device; there are: {known}", "哪台设备？请用 --device 指定；现有的是：{known}";
    Narrow: "the terminal is too narrow for the QR code, which needs {needed} columns, and it has {has}; make it wider, or have a picture: calferry qr with --png FILE or --svg FILE",
        "终端太窄，放不下二维码：需要 {needed} 列，现在是 {has} 列。请把终端放宽，或者生成图片：calferry qr 加上 --png FILE 或 --svg FILE";
    Nearby: "this URL leads to this machine only; for phones set public_url to the name that they use",
        "这个网址只通向本机；要给手机用，请把 public_url 设为手机访问时用的名字";
    NearbyDemo: "this URL leads to this machine only; for a phone in the same network, listen where it reaches this machine: calferry demo --listen ADDRESS:8080",
        "这个网址只通向本机；要让同一网络里的手机访问，请在手机连得到的地址上监听：calferry demo --listen ADDRESS:8080";
    CodesElsewhere: "QR codes: calferry serve --qr, or calferry qr FEED --device DEVICE", "二维码：calferry serve --qr，或 calferry qr FEED --device DEVICE";
    DemoServes: "A calendar that changes every minute is served here; subscribe to it, or look at it with curl:",
        "这里提供一份每分钟都在变的日历；可以订阅，也可以用 curl 查看：";
    CannotWrite: "{path} cannot be written", "{path} 无法写入";
    CannotLock: "{path} cannot be locked", "{path} 无法加锁";
    CannotChange: "{path} cannot be changed; it is as it was", "{path} 无法修改，保持原样";
    NoFolder: "there is no such folder", "没有这个目录";
    IsThere: "{path} is there already; name another file, or replace it with --force", "{path} 已经存在；请另选文件名，或加 --force 覆盖它";
    NothingToChange: "there is no settings file to change; name one with --config, or make one with calferry init",
        "没有可以修改的设置文件；请用 --config 指定，或用 calferry init 生成一个";
    HasAlready: "feed {feed} has a device {name} already; calferry url shows its URL, calferry device rotate replaces it",
        "订阅源 {feed} 已经有设备 {name}；calferry url 显示它的网址，calferry device rotate 换一个新网址";
    WasRevoked: "{name} was revoked, and its old URL would work again; choose another name for the new device",
        "{name} 已被吊销，再添加会让它的旧网址重新有效；请给新设备另起一个名字";
    OnlyDevice: "{name} is the only device of feed {feed}; add another first, or take the feed out of the settings",
        "{name} 是订阅源 {feed} 唯一的设备；请先添加另一台，或从设置里去掉这个订阅源";
    OwnToken: "{name} has a token of its own; write another into its token_file, or take that line out",
        "{name} 用的是自备的令牌；请在它的 token_file 里另写一个，或去掉那一行";
    Promised: "{name} was given a new URL already, and the one before it works until {until}, as was promised; after another rotation it would answer 410 at once. Wait until then, or rotate with --force",
        "{name} 已经换过一次网址，并承诺之前的网址在 {until} 之前有效；再换一次，它会立刻返回 410。请等到那时，或加 --force 照样更换";
    NoToml: "{path} is no TOML any more; try again", "{path} 已经不是 TOML 了；请再试一次";
    WrittenElsewhere: "feed {feed} is not written in {path}; change it where it is written", "{path} 里没有写订阅源 {feed}；请在写它的地方修改";
    NoForm: "feed {feed} has no form in {path} that can be changed", "{path} 里订阅源 {feed} 的写法无法自动修改";
    WouldBeRefused: "nothing was changed, since the settings would be refused then", "什么也没有改，因为改了之后设置会被拒绝";
    EnvironmentWins: "nothing was changed: the environment has other devices for feed {feed}; change it there",
        "什么也没有改：订阅源 {feed} 的设备由环境变量另行指定；请在那里修改";
    Changed: "the settings file is changed; a running server follows within seconds{old}", "设置文件已修改；运行中的服务器几秒内生效{old}";
    OwnUrlGone: "; its URL, which came from a token_file, answers 404", "；它的网址来自 token_file，从此返回 404";
    UrlGone: "; the URL of {name} answers 410", "；{name} 的网址从此返回 410";
    OldGone: "; the old URL answers 410", "；旧网址从此返回 410";
    OldUntil: "; the old URL works until {until} and answers 410 then", "；旧网址到 {until} 为止有效，之后返回 410";
    EarlierGone: "; the one before it answers 410", "；更早的那个返回 410";
    Warning: "warning: {what}", "警告：{what}";
    Counts: "settings: {sources}, {feeds}, {devices}", "设置：来源 {sources} 个，订阅源 {feeds} 个，设备 {devices} 台";
    StateIsSound: "state: {dir} is sound", "状态目录：{dir} 完好";
    TryingSource: "source {name} ({at} of {all})", "来源 {name}（第 {at} 个，共 {all} 个）";
    OfSource: "source {name}: {what}", "来源 {name}：{what}";
    Came: "{events}, {bytes}", "日程 {events} 个，{bytes} 字节";
    Junk: "left out because it is no content line: {lines} ({which})", "因为不是内容行而略去：{lines} 行（{which}）";
    HeldSecret: "left out because it holds the calendar's own secret address: {lines}", "因为含有日历自己的私密地址而略去：{lines} 行";
    NotUtf8: "not UTF-8, and served as it is: {lines}", "不是 UTF-8，照原样提供：{lines} 行";
    Moved: "moved to {host} for good; if that is right, put its new address into the settings", "已永久移到 {host}；如果没错，请把新地址写进设置";
    ByWay: "way {place} ({kind}): {name}: {error}", "途径 {place}（{kind}）：{name}：{error}";
}
