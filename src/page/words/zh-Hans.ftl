### 订阅页面的简体中文。每条消息在 en.ftl 中也有。

language = 语言
skip = 跳到日程
subscribe-to = 订阅这个日历
open = 在日历应用中打开
copy = 复制网址
copied = 已复制
address = 这个日历的网址
address-secret = 拿到这个网址的人都能看到日历，请不要转发。
scan = 用另一台设备扫描
how-to = 订阅步骤
other-devices = 其他设备
get-icsx5 = 在 F-Droid 上获取 ICSx⁵

fresh-now = 刚刚同步
fresh-ago = { $ago }同步
minutes-ago = { $count } 分钟前
hours-ago = { $count } 小时前
days-ago = { $count } 天前
stale-refusing = { $who }从 { $since } 起拒绝本服务器的请求，现在显示 { $copy } 的副本。
stale-unreachable = 从 { $since } 起连接不到{ $who }，现在显示 { $copy } 的副本。
stale-unknown = { $who }从 { $since } 起不再认识这个日历的地址，现在显示 { $copy } 的副本。需要服务器的管理者换上新地址。
stale-trouble = { $who }从 { $since } 起出现故障，现在显示 { $copy } 的副本。
stale-unusable = { $who }从 { $since } 起给出的不是可用的日历，现在显示 { $copy } 的副本。
stale-collapsed = { $who }说大部分日程都不在了。确认之前，先显示 { $copy } 的副本。
stale-late = 上次同步：{ $ago }。
waiting = 日历还没有到达这里。请稍后重新打开本页；现在就可以订阅。
the-source = 日历的来源

agenda = 未来 14 天
agenda-empty = 没有安排。
agenda-choose = 时区
agenda-show = 显示
agenda-more = 还有 { $count } 项日程没有显示在这里。
agenda-unfollowed = 有 { $count } 项重复日程无法在这里推算，日历应用会显示。
agenda-none = 暂时无法显示日程。
today = 今天
tomorrow = 明天
all-day = 全天
from-time = { $time } 起
until-time = 到 { $time }
day-of = 第 { $day } 天，共 { $days } 天
untitled = （无标题）
cancelled = 已取消
join = 加入会议
join-what = 加入会议：{ $title }
link = 网页
details = 详情

date = { $month }{ $day }日 { $weekday }
moment = { $month }{ $day }日 { $time }
weekday-1 = 星期一
weekday-2 = 星期二
weekday-3 = 星期三
weekday-4 = 星期四
weekday-5 = 星期五
weekday-6 = 星期六
weekday-7 = 星期日
month-1 = 1月
month-2 = 2月
month-3 = 3月
month-4 = 4月
month-5 = 5月
month-6 = 6月
month-7 = 7月
month-8 = 8月
month-9 = 9月
month-10 = 10月
month-11 = 11月
month-12 = 12月

gone = 这个订阅已经结束
gone-why = 服务器的管理者已经停用了这个网址。日历应用不会再从它得到新内容；请删除这个订阅，如果仍然需要这个日历，请向管理者索取新的网址。

device-iphone = iPhone、iPad
iphone-1 = 点上面的“在日历应用中打开”，或打开“日历”→ 日历 → 添加日历 → 添加订阅日历，粘贴网址。
iphone-2 = 点“订阅”，选好名称、颜色和账户。放在 iCloud 中，您的其他苹果设备也能看到。
iphone-3 = 想收到提醒，请在同一页关闭“移除提醒”，新订阅默认是打开的。
iphone-4 = 多久更新一次：设置 → App → 日历 → 日历账户 → 获取新数据，可选 15、30 或 60 分钟；“自动”大约每小时一次，而且只在充电时。

device-mac = Mac
mac-1 = 点上面的“在日历应用中打开”，或在“日历”中选 文件 → 新建日历订阅，粘贴网址。
mac-2 = 在“自动刷新”中选择多久更新一次。
mac-3 = 想收到提醒，请在“移除”旁取消勾选“提醒”。

device-xiaomi = 小米、红米、POCO（HyperOS、MIUI）
xiaomi-note = 目前不知道系统自带的日历能否订阅网址。免费应用 ICSx⁵ 可以，它的日历会出现在自带的日历里。
xiaomi-1 = 安装 ICSx⁵，点 +，粘贴网址。
xiaomi-2 = 起个名字并保存，允许它访问日历，在应用的设置里选择多久更新一次。
xiaomi-3 = 设置 → 应用 → ICSx⁵：允许“自启动”，省电策略选“无限制”，否则系统会停掉它。
xiaomi-4 = 在自带日历的设置中打开新的日历。

device-huawei = 华为（HarmonyOS、EMUI）
huawei-note = 目前不知道系统自带的日历能否订阅网址。能运行安卓应用的系统（HarmonyOS 4 及更早）可以用免费应用 ICSx⁵。HarmonyOS 5 及以后，我们还不知道有哪个应用可以：请把本页加入书签。
huawei-1 = 安装 ICSx⁵，点 +，粘贴网址。
huawei-2 = 起个名字并保存，允许它访问日历，在应用的设置里选择多久更新一次。
huawei-3 = 设置 → 应用和服务 → 应用启动管理 → ICSx⁵：关闭“自动管理”，三项都允许，否则系统会停掉它。
huawei-4 = 在自带的日历中打开新的日历。

device-oppo = OPPO、一加、真我、vivo、iQOO、荣耀
oppo-note = 目前不知道系统自带的日历能否订阅网址。免费应用 ICSx⁵ 可以，它的日历会出现在自带的日历里。
oppo-1 = 安装 ICSx⁵，点 +，粘贴网址。
oppo-2 = 起个名字并保存，允许它访问日历，在应用的设置里选择多久更新一次。
oppo-3 = 在系统设置中允许 ICSx⁵ 自启动和后台运行，否则系统会停掉它。
oppo-4 = 在自带的日历中打开新的日历。

device-samsung = 三星
samsung-note = 目前不知道三星日历能否订阅网址。免费应用 ICSx⁵ 可以，它的日历会出现在三星日历里。
samsung-1 = 安装 ICSx⁵，点 +，粘贴网址。
samsung-2 = 起个名字并保存，允许它访问日历，在应用的设置里选择多久更新一次。
samsung-3 = 设置 → 电池 → 后台使用限制：把 ICSx⁵ 加入从不休眠的应用。
samsung-4 = 在三星日历中打开菜单，打开新的日历。

device-android = 其他安卓手机
android-note = 目前不知道谷歌和大多数厂商的日历应用能否在手机上直接订阅网址。免费应用 ICSx⁵ 可以，它的日历会出现在这些应用里。DAVx⁵ 会把这样的网址交给 ICSx⁵。
android-1 = 安装 ICSx⁵，点 +，粘贴网址。
android-2 = 起个名字并保存，允许它访问日历，在应用的设置里选择多久更新一次。
android-3 = 在系统设置中对 ICSx⁵ 关闭电池优化。
android-4 = 在日历应用中打开新的日历。

device-outlook = Windows：Outlook
outlook-1 = 经典 Outlook：日历 → 添加日历 → 从 Internet，粘贴网址。
outlook-2 = 新版 Outlook 或网页版 Outlook：日历 → 添加日历 → 从 Web 订阅，粘贴网址。这时由微软的服务器抓取，可能要几个小时。

device-thunderbird = Thunderbird
thunderbird-1 = 新建日历 → 在网络上，粘贴网址。
thunderbird-2 = 在日历的属性中选择多久刷新一次。
