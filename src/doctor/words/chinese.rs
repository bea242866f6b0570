//! 简体中文。

use std::borrow::Cow;

use super::super::finding::{Check, Kind};
use crate::calendar::Malformed;
use crate::source::FetchError;

/// What is said of a finding, and what to do.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn text(kind: Kind) -> (&'static str, &'static str) {
    use Kind as K;
    match kind {
        K::LeadsTo => ("{host} 指向 {addresses}", ""),
        K::NameNotFound => (
            "域名 {host} 无法解析：本机所用的 DNS 都不认识它",
            "在域名服务商那里为它添加 A 或 AAAA 记录，或改正 public_url。新记录要几分钟才生效。",
        ),
        K::NotPublic => (
            "{host} 指向 {addresses}，只有本机或本网络能到达",
            "把 public_url 设为手机使用的域名，并让它指向公网地址或 Cloudflare。如果手机就在这个网络里，则一切正常。",
        ),
        K::PortNotProxied => (
            "{host} 指向 Cloudflare，而 Cloudflare 对这种网址不转发端口 {port}",
            "在 public_url 中改用端口 {ports} 之一，最好是 443；calferry 监听别的端口时，加一条源站规则（Origin Rule）。",
        ),
        K::Unreachable => (
            "连不上 {addresses} 的端口 {port}：{error}",
            "检查本机和服务商的防火墙、反向代理是否在运行、DNS 记录的地址是否正确。有些路由器只能从外面到达自己的公网地址：请换个网络再试，或用 --resolve 指定去处。",
        ),
        K::AddressUnreachable => (
            "连不上域名的地址之一 {address}：{error}",
            "从 DNS 中删掉这个地址，或让反向代理在上面监听：有些手机会先试它。",
        ),
        K::NotEncrypted => (
            "public_url 以 http:// 开头，途中任何人都能读到网址和日历",
            "给反向代理或 calferry 一份证书（[server.tls]），并在 public_url 中写 https://。",
        ),
        K::NoTls => (
            "端口 {port} 没有手机所需的 TLS：{error}",
            "检查反向代理是否在此端口启用了 TLS，或设置 [server.tls]；可用的版本是 1.2 和 1.3。在受审查的网络里，此处连接被重置也可能是域名被封锁。",
        ),
        K::CertificateHolds => ("证书还有 {days} 天有效", ""),
        K::CertificateEnds => (
            "证书 {days} 天后到期",
            "现在就续期，并查明为何没有自动续期（certbot renew --dry-run，或反向代理的日志）。",
        ),
        K::CertificateExpired => ("证书已于 {until} 到期", "请续期。如果这个日期还没到，请校准本机时钟。"),
        K::CertificateNotYetValid => {
            ("证书从 {from} 起才有效", "如果这个日期已过，请校准本机时钟；否则请等待，或换回之前的证书。")
        }
        K::CertificateWrongName => (
            "证书是 {names} 的，不是 {host} 的",
            "为 public_url 中的域名申请证书，或改正 public_url。在 Cloudflare，比主域名低两级的名字（a.b.example.com）需要单独的证书。",
        ),
        K::CertificateUnknownIssuer => (
            "手机不信任这份证书：颁发者是 {issuer}",
            "换用公共机构（如 Let's Encrypt）的证书。自建机构的证书，须让每部手机信任该机构；本命令用 --ca-file 指定。",
        ),
        K::CertificateForCloudflareOnly => (
            "手机看到的是 Cloudflare 的源站证书，它只被 Cloudflare 信任",
            "为这条 DNS 记录打开代理（橙色云朵），或换用公共机构的证书。",
        ),
        K::CertificateChainIncomplete => (
            "服务器没有附上颁发者 {issuer} 的证书；有些手机补不上缺的部分",
            "请提供完整的证书链：用 fullchain.pem 代替 cert.pem。",
        ),
        K::CertificateRefused => ("证书无法接受：{error}", "申请一份公共机构（如 Let's Encrypt）的新证书。"),
        K::ClockWrong => (
            "本机时钟与反向代理相差 {seconds} 秒（正数表示本机偏快）",
            "启用自动校时（timedatectl set-ntp true）。时钟不准时，证书会显得过期，iPhone 对“有没有变化”会得到错误的答复。",
        ),
        K::NoAnswer => (
            "连接成功，却没有 HTTP 响应：{clients}。{error}",
            "查看反向代理日志，看它把请求转给了谁；calferry health 可直接询问 calferry。",
        ),
        K::ChallengePage => (
            "Cloudflare 用质询页代替日历回应：{clients}。日历应用无法通过质询",
            "为整个域名关闭 Bot Fight Mode（安全性 → 自动程序），它不能用规则跳过。如果它已关闭，请查 Under Attack 模式，以及带质询的 WAF 规则（安全性 → 事件里有名字），让它跳过这个主机名。",
        ),
        K::BrowserIntegrityCheck => (
            "Cloudflare 的浏览器完整性检查（错误 1010）拒绝了：{clients}",
            "对这个主机名关闭它：添加配置规则，条件 http.host eq \"{host}\"，浏览器完整性检查设为关。",
        ),
        K::Blocked => (
            "反向代理拒绝了：{clients}（HTTP {status}{code}）",
            "在 Cloudflare 的“安全性 → 事件”里找到这条规则，让它跳过这个主机名。其他反向代理：查按国家、地址或 User-Agent 拒绝的设置。",
        ),
        K::RateLimited => (
            "反向代理或 calferry 说请求太多：{clients}（HTTP 429）",
            "等一分钟再试。若一直如此，请放宽反向代理的限制，并设置 trusted_proxies：否则所有订阅者算作一个。",
        ),
        K::OriginUnreachable => (
            "反向代理有响应，但到不了 calferry（HTTP {status}）",
            "检查 calferry 是否在运行（calferry health）、反向代理里写的地址和端口是否正确、两者之间是否有防火墙。在 Cloudflare 后面，必须放行它的网段。",
        ),
        K::OriginTimeout => (
            "反向代理到得了 calferry，但没有及时得到响应（HTTP {status}）",
            "查看 calferry 的日志，看是什么拖住了它，以及两者之间是否有设备丢包。",
        ),
        K::OriginHandshake => (
            "反向代理与 calferry 的 TLS 谈不拢（HTTP 525）",
            "设置 [server.tls]，或让反向代理用 http 连接 calferry。用了 client_ca 时，请在 Cloudflare 启用 Authenticated Origin Pulls。",
        ),
        K::OriginCertificate => (
            "Cloudflare 不接受 calferry 的证书（HTTP 526）",
            "在 Full (strict) 模式下，证书须在有效期内、属于这个域名，并由公共机构颁发或是 Cloudflare 的源站证书。",
        ),
        K::TunnelDown => (
            "Cloudflare Tunnel 没有连上，或域名没有对应的隧道（HTTP 530{code}）",
            "启动 cloudflared 并查看它的日志；检查隧道的公共主机名和服务是否正确。",
        ),
        K::FrontError => (
            "反向代理自己返回了错误（HTTP {status}{code}）",
            "查看反向代理的日志。在 Cloudflare，520 表示 calferry 这边的响应不是 HTTP：端口不对，或只有一边用了 TLS。",
        ),
        K::HtmlCached => (
            "反向代理从缓存（{cache}）返回网页，代替了 calferry 的响应",
            "清除缓存，并删除缓存这个主机名的规则（Cache Everything、Always Online）。",
        ),
        K::CalendarCached => (
            "反向代理从缓存（{cache}）返回日历：变化来得晚，吊销的网址仍然可用",
            "去掉对这个主机名的缓存（Cloudflare 的 Cache Everything、nginx 的 proxy_cache；Varnish 用 return (pass)），并清除缓存；如果是有意让 Cloudflare 缓存，请设置 edge_cache。",
        ),
        K::Redirected => (
            "反向代理跳转到别处：HTTP {status} 到 {target}",
            "把跳转到的域名写进 public_url，或去掉跳转。登录页（Cloudflare Access）必须对这个主机名跳过。",
        ),
        K::RequestMangled => (
            "calferry 拒绝反向代理改过的请求（HTTP 400）",
            "反向代理必须只发一个 Host、至多一个 CF-Connecting-IP，GET 不带正文。查看哪些规则改动了请求头。",
        ),
        K::OtherInstance => (
            "有一个 calferry 在响应，但不是这一个：它的密钥不同，或版本太旧而不能询问",
            "检查反向代理是否指向了另一台机器或容器、更新后是否重启过 calferry，以及本命令的 --config 和 --state-dir 是否正确、是否以服务器的用户运行。",
        ),
        K::NotCalferry => (
            "响应的不是 calferry（HTTP {status}，server：{server}）",
            "检查反向代理把这个域名的请求转给了谁，以及 DNS 记录是否指向这个反向代理。",
        ),
        K::Answers => ("calferry {version} 响应了 {clients}；它收到的是 HTTP/{http}，客户端是 {client}", ""),
        K::SlowAnswers => (
            "即使最短的响应，经过反向代理也要 {seconds} 秒",
            "用 calferry health 直接询问 calferry。如果它很快，就看反向代理在等什么：先试了连不上的地址（IPv6）、每次都要解析域名、隧道或机器太远。iPhone 等 20 秒就放弃。",
        ),
        K::OtherVersion => ("运行着的是 calferry {running}，而本命令是 {own}", "重启服务器，让新版本运行起来。"),
        K::ClientAddressLost => (
            "来访者的地址没有传到：每个订阅者都算作 {client}，少数人就能让其他人都被拒绝（429）",
            "在 [server] 中设置 trusted_proxies：Cloudflare 直接连 calferry 时为 [\"cloudflare\"]，用 cloudflared 时为 [\"cloudflare:127.0.0.1\"]，其他代理写它的地址，并让它发送 Forwarded 或 X-Forwarded-For。会隐藏地址的容器网络，请改用主机网络。",
        ),
        K::SslFlexible => (
            "只加密到反向代理为止：从反向代理到 calferry，网址和日历以明文穿过互联网",
            "在 Cloudflare 的 SSL/TLS 中把模式设为 Full (strict)，并在这里设置 [server.tls] 和源站证书；或使用 Cloudflare Tunnel。",
        ),
        K::FeedArrives => ("日历完整到达；{coding}", ""),
        K::FeedUnknown => (
            "运行着的程序不认识这个订阅源的网址（HTTP {status}）",
            "它用的不是这份设置：查看它的日志，看设置是否被拒绝，或重启它。",
        ),
        K::FeedWithoutCopy => {
            ("这个订阅源还没有日历（HTTP {status}）", "看下面它的来源情况；calferry check --online 会逐个尝试。")
        }
        K::FeedDamaged => (
            "到达的不是这个订阅源的日历（HTTP {status}，{type}）",
            "途中有什么改动或替换了它；查看反向代理对以 .ics 结尾的路径做了什么。",
        ),
        K::CompressionLost => (
            "日历到达时没有压缩：{clients}",
            "让反向代理原样传递 Accept-Encoding 和 Content-Encoding。Cloudflare 不压缩日历，但会转交 calferry 压缩好的内容。",
        ),
        K::EtagWeakened => (
            "日历的 ETag 到达时变弱了（W/）：途中有什么改动了正文",
            "关闭反向代理的压缩或改写，calferry 自己的压缩就够了。客户端仍能省去下载，因为 calferry 按弱比较。",
        ),
        K::EtagLost => {
            ("日历的 ETag 没有到达", "让反向代理传递 ETag：没有它，Android 和 Thunderbird 每次都要下载整个日历。")
        }
        K::NotModifiedLost => {
            ("已有日历的客户端又收到一遍，而不是 304", "让反向代理传递 If-None-Match，并且不要用自己的缓存来响应。")
        }
        K::HttpRedirects => ("端口 80 跳转到 https", ""),
        K::HttpAnswers => (
            "端口 80 以明文响应（HTTP {status}）",
            "最好让它跳转到 https（Cloudflare 的“始终使用 HTTPS”）：这样以 http:// 粘贴的网址只明文发送一次，而不是每次。",
        ),
        K::SourceAnswers => ("有响应：{events} 个日程", ""),
        K::SourceUnreachable => ("从这里到不了它的主机：{error}", "{error.fix}"),
        K::SourceWayFailed => ("第 {place} 条途径（{way}）失败：{error}", "{error.fix}"),
        K::SourceThrottled => ("它的主机暂时拒绝这台机器：{error}", "{error.fix}"),
        K::SourceReset => ("它的私密地址被重置了，或者不对：{error}", "{error.fix}"),
        K::SourceDenied => ("它的主机不让这台机器取日历：{error}", "{error.fix}"),
        K::SourceFailed => ("没有给出日历：{error}", "{error.fix}"),
        K::SourceMoved => ("它已永久移到 {host}", "如果没错，把新地址写进设置。"),
        K::NeverRun => (
            "{folder} 里没有密钥，所以程序从未以这份设置运行过",
            "先运行 calferry serve；或给出它运行时的 --config 和 --state-dir，并以它的用户执行。",
        ),
        K::NotChecked => ("没有检查：{checks}", ""),
    }
}

/// What went wrong with a fetch, with its numbers and what a library says, and what to do.
pub(super) fn fetch(error: &FetchError) -> (Cow<'static, str>, &'static str) {
    use FetchError as E;
    let (words, fix) = plain(error);
    let detail = match error {
        E::ForbiddenPort(port) => Some(port.to_string()),
        E::ProxyUnreachable(said) | E::ProxyRefused(said) => Some((*said).to_owned()),
        E::Connect(said) | E::Tls(said) => Some(said.clone()),
        E::Timeout { limit, .. } => Some(format!("{} 秒", limit.as_secs())),
        E::Throttled { status, .. } | E::Server { status, .. } => Some(format!("HTTP {status}")),
        E::Denied(status) | E::NotFound(status) | E::Refused(status) | E::Unexpected(status) => {
            Some(format!("HTTP {status}"))
        }
        _ => None,
    };
    (detail.map_or(Cow::Borrowed(words), |detail| Cow::Owned(format!("{words}（{detail}）"))), fix)
}

fn plain(error: &FetchError) -> (&'static str, &'static str) {
    const AGAIN: &str = "不必处理，会再试。";
    const BUSY: &str =
        "不必处理，手机仍得到最近的完好副本；持续几天的话，降低抓取频率（refresh），或换个出口地址（egress）。";
    const BROWSER: &str = "在浏览器里打开，复制最后到达的地址。";
    use FetchError as E;
    match error {
        E::Dns(_) => ("主机名无法解析", "检查主机名，以及本机能否解析域名。"),
        E::PrivateAddress => {
            ("地址通向内网", "如果日历在你自己的网络里：给这个来源设 allow_private = true（--allow-private）。")
        }
        E::ForbiddenPort(_) => ("地址用了不允许的端口", "如果确实要用：写进这个来源的 ports。"),
        E::ProxyUnreachable(_) => {
            ("连不上代理，或者它不是这种代理", "检查代理是否在运行，以及 egress 里的种类、主机和端口。")
        }
        E::ProxyAuth => ("代理不接受用户名和密码", "检查 egress 里的用户名和密码。"),
        E::ProxyRefused(_) => ("代理不通往该主机", "检查代理允许什么、能否解析，或在 egress 里再列一条途径。"),
        E::Connect(_) => ("连不上主机", "检查本机能否访问该主机；有些网络访问不了 Google：见 egress。"),
        E::Tls(_) => ("无法建立安全连接", "检查主机的证书；自己的证书请设 fetch.ca_file。"),
        E::Timeout { .. } => ("超时", AGAIN),
        E::Interrupted => ("响应中途断了", AGAIN),
        E::NotHttp => ("响应不是 HTTP", "检查地址。"),
        E::Redirects(_) => ("跳转太多，或者绕圈", BROWSER),
        E::Downgrade => ("从 https 跳转到 http", "请对方给出 https 地址。"),
        E::BadRedirect => ("跳转没有去处", BROWSER),
        E::SignIn => ("跳转到登录页", "这个地址没有把日历共享出来。请在 Google 日历里复制“iCal 格式的私密地址”。"),
        E::Throttled { .. } => ("主机说请求太多", BUSY),
        E::Captcha => ("主机要求证明是真人", BUSY),
        E::Denied(_) => ("主机拒绝访问", "地址需要密码，或没有共享；请重新复制。"),
        E::NotFound(_) => {
            ("主机不认识这个地址", "私密地址被重置了，或者日历没有公开。请重新复制“iCal 格式的私密地址”。")
        }
        E::Refused(_) => ("主机拒绝请求", "在浏览器里检查地址。"),
        E::Server { .. } => ("主机出了故障", AGAIN),
        E::Unexpected(_) => ("此处不该出现的状态码", "在浏览器里检查地址。"),
        E::Empty => ("响应是空的", AGAIN),
        E::Partial => ("只有一部分（206）", AGAIN),
        E::WebPage => {
            ("响应是网页，不是日历", "这是网页的地址。请用日历的 iCal 地址：Google 日历的是“iCal 格式的私密地址”。")
        }
        E::TooLarge(_) => ("响应超过 max_size", "日历确实这么大的话，调高 fetch.max_size。"),
        E::UnknownCoding => ("用了没有请求过的压缩方式", AGAIN),
        E::BadCoding => ("压缩数据损坏", AGAIN),
        E::Malformed(Malformed::NotCalendar) => ("响应不是日历", "不必处理，会再试；一直如此就检查地址。"),
        E::Malformed(Malformed::Truncated { .. }) => ("日历在中间断了", AGAIN),
        E::Malformed(Malformed::Unbalanced { .. }) => ("日历的 BEGIN 和 END 不配对", AGAIN),
        E::Malformed(Malformed::WrongCharset) => ("日历不是 UTF-8", AGAIN),
        E::Malformed(Malformed::TooMuch { .. }) => ("日历超过上限", "日历确实如此的话，调高 [fetch] 里的上限。"),
        E::Collapsed { .. } => (
            "大部分日程一下子没了",
            "一小时以上、连续三次抓取结果一致时就会采用；要立即采用，请执行 calferry accept SOURCE。",
        ),
        E::Storage(_) => ("副本写不进磁盘", "检查状态目录的空间和权限。"),
    }
}

pub(super) fn check(check: Check) -> &'static str {
    match check {
        Check::Name => "域名",
        Check::Connection => "连接",
        Check::Certificate => "证书",
        Check::Answer => "谁在响应",
        Check::Feed => "订阅源",
    }
}
