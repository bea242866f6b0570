### The subscription page in English. Every message is in zh-Hans.ftl too.

language = Language
skip = Skip to the agenda
subscribe-to = Subscribe to this calendar
open = Open in the calendar app
open-needs-app = “Open in the calendar app” leads somewhere only once an app that takes addresses is installed, such as ICSx⁵. The steps below say how.
in-wechat = Inside WeChat, no calendar app can be opened. Tap “···” at the top right and choose “Open in browser”.
copy = Copy the address
copied = Copied
address = The address of this calendar
address-secret = Whoever has this address can read the calendar. Do not pass it on.
scan = Scan this code with the other device
how-to = How to subscribe
other-devices = Other devices
get-icsx5 = ICSx⁵ on F-Droid

fresh-now = Synced just now
fresh-ago = Synced { $ago }
minutes-ago = { $count ->
    [one] one minute ago
   *[other] { $count } minutes ago
}
hours-ago = { $count ->
    [one] one hour ago
   *[other] { $count } hours ago
}
days-ago = { $count ->
    [one] yesterday
   *[other] { $count } days ago
}
trouble-refusing = { $who } is refusing this server since { $since }
trouble-unreachable = { $who } cannot be reached since { $since }
trouble-unknown = { $who } no longer knows the address of this calendar since { $since } (whoever runs this server has to put in a new one)
trouble-trouble = { $who } is in trouble since { $since }
trouble-unusable = { $who } gives no usable calendar since { $since }
showing-copy = { $trouble }, showing the copy of { $copy }.
no-copy-yet = { $trouble }; there is no copy yet. Subscribe when the calendar is here.
left-out = { $count ->
    [one] One source has no copy yet, so its events are missing here.
   *[other] { $count } sources have no copy yet, so their events are missing here.
}
left-out-why = {" "}{ $trouble }.
stale-collapsed = { $who } says that most events are gone. Until that is certain, the copy of { $copy } is shown.
stale-late = Last synced { $ago }.
waiting = The calendar has not arrived here yet. Load this page again in a moment, and subscribe when it is here.
known-source = { $name }
the-source = The calendar’s source

agenda = The next 14 days
agenda-empty = Nothing is planned.
agenda-choose = Time zone
agenda-show = Show
agenda-more = { $count ->
    [one] One more event is not shown here.
   *[other] { $count } more events are not shown here.
}
agenda-unfollowed = { $count ->
    [one] One repeating event cannot be worked out here; the calendar app shows it.
   *[other] { $count } repeating events cannot be worked out here; the calendar app shows them.
}
agenda-none = The agenda cannot be shown just now.
today = Today
tomorrow = Tomorrow
all-day = All day
from-time = from { $time }
until-time = until { $time }
day-of = Day { $day } of { $days }
untitled = (no title)
cancelled = Cancelled
join = Join
join-what = Join { $title }
link = Web page
details = Details

date = { $weekday }, { $day } { $month }
moment = { $day } { $month }, { $time }
weekday-1 = Monday
weekday-2 = Tuesday
weekday-3 = Wednesday
weekday-4 = Thursday
weekday-5 = Friday
weekday-6 = Saturday
weekday-7 = Sunday
month-1 = January
month-2 = February
month-3 = March
month-4 = April
month-5 = May
month-6 = June
month-7 = July
month-8 = August
month-9 = September
month-10 = October
month-11 = November
month-12 = December

gone = This subscription has ended
gone-why = The address was revoked by whoever runs this server. The calendar app shows nothing new from it; remove the subscription, and ask for a new address if you still need the calendar.

device-iphone = iPhone, iPad
iphone-1 = Tap “Open in the calendar app” above, or go to Calendar → Calendars → Add Calendar → Add Subscription Calendar and paste the address.
iphone-2 = Tap Subscribe. Choose a name, a colour and the account. In iCloud, your other Apple devices get it too.
iphone-3 = To be reminded, switch “Remove Alarms” off in the same form. It is on for new subscriptions.
iphone-4 = How often it looks for news: Settings → Apps → Calendar → Calendar Accounts → Fetch New Data. Choose 15, 30 or 60 minutes; “Automatically” is about hourly, and only while charging.

device-mac = Mac
mac-1 = Click “Open in the calendar app” above, or choose File → New Calendar Subscription in Calendar and paste the address.
mac-2 = Under Auto-refresh, choose how often to look for news.
mac-3 = To be reminded, untick Alerts beside “Remove”.

device-xiaomi = Xiaomi, Redmi, POCO (HyperOS, MIUI)
xiaomi-note = The built-in calendar is not known to subscribe to an address. The free app ICSx⁵ does, and its calendars appear in the built-in one.
xiaomi-1 = Install ICSx⁵, tap +, and paste the address.
xiaomi-2 = Give it a name and save. Allow access to the calendar, and choose in the app’s settings how often it looks for news.
xiaomi-3 = Settings → Apps → ICSx⁵: allow Autostart, and set the battery saver to “No restrictions”. Otherwise the system stops it.
xiaomi-4 = In the built-in calendar’s settings, switch the new calendar on.

device-huawei = Huawei (HarmonyOS, EMUI)
huawei-note = The built-in calendar is not known to subscribe to an address. Where Android apps run (up to HarmonyOS 4), the free app ICSx⁵ does. For HarmonyOS 5 and later we know of no app that does: keep this page as a bookmark instead.
huawei-1 = Install ICSx⁵, tap +, and paste the address.
huawei-2 = Give it a name and save. Allow access to the calendar, and choose in the app’s settings how often it looks for news.
huawei-3 = Settings → Apps → App launch → ICSx⁵: switch “Manage automatically” off and allow all three. Otherwise the system stops it.
huawei-4 = In the built-in calendar, switch the new calendar on.

device-oppo = OPPO, OnePlus, realme, vivo, iQOO, Honor
oppo-note = The built-in calendars are not known to subscribe to an address. The free app ICSx⁵ does, and its calendars appear in the built-in one.
oppo-1 = Install ICSx⁵, tap +, and paste the address.
oppo-2 = Give it a name and save. Allow access to the calendar, and choose in the app’s settings how often it looks for news.
oppo-3 = In the system’s settings for ICSx⁵, allow it to start by itself and to run in the background. Otherwise the system stops it.
oppo-4 = In the built-in calendar, switch the new calendar on.

device-samsung = Samsung
samsung-note = Samsung Calendar is not known to subscribe to an address. The free app ICSx⁵ does, and its calendars appear in Samsung Calendar.
samsung-1 = Install ICSx⁵, tap +, and paste the address.
samsung-2 = Give it a name and save. Allow access to the calendar, and choose in the app’s settings how often it looks for news.
samsung-3 = Settings → Battery → Background usage limits: add ICSx⁵ to the apps that never sleep.
samsung-4 = In Samsung Calendar, open the menu and switch the new calendar on.

device-android = Other Android phones
android-note = Google’s and most makers’ calendar apps are not known to subscribe to an address on the phone itself. The free app ICSx⁵ does, and its calendars appear in them. DAVx⁵ hands such addresses to ICSx⁵.
android-1 = Install ICSx⁵, tap +, and paste the address.
android-2 = Give it a name and save. Allow access to the calendar, and choose in the app’s settings how often it looks for news.
android-3 = In the system’s settings, leave ICSx⁵ out of battery optimisation.
android-4 = In the calendar app, switch the new calendar on.

device-outlook = Windows: Outlook
outlook-1 = Classic Outlook: Calendar → Add Calendar → From Internet, and paste the address.
outlook-2 = New Outlook, or Outlook on the web: Calendar → Add calendar → Subscribe from web, and paste the address. There Microsoft’s servers fetch, and may take hours.

device-thunderbird = Thunderbird
thunderbird-1 = New Calendar → On the Network, and paste the address.
thunderbird-2 = Choose how often to refresh in the calendar’s properties.

## The status page, for whoever runs this server.

status-title = Status of this server
status-version = calferry { $version }, { $now } UTC
status-certificate = The certificate holds until { $until }.
status-certificate-ended = The certificate has ended: { $until }.
status-certificate-trouble = { $count ->
    [one] A new one was ordered in vain:
   *[other] A new one was ordered { $count } times in vain:
}
status-sources = Sources
status-feeds = Feeds
status-filter = Sources by state
status-all = All { $count }
status-troubled = In trouble { $count }
status-none = Nothing to show.
status-pages = Pages
status-page-of = Page { $page } of { $pages }
status-previous = Previous
status-next = Next
state-fresh = fresh
state-failing = failing
state-quarantine = kept aside
state-no_copy = no copy
state-waiting = waiting
moments-ago = just now
in-moments = in a moment
in-minutes = { $count ->
    [one] in one minute
   *[other] in { $count } minutes
}
in-hours = { $count ->
    [one] in one hour
   *[other] in { $count } hours
}
in-days = { $count ->
    [one] in one day
   *[other] in { $count } days
}
source-confirmed = Confirmed
source-never = never
source-next = Next fetch
source-now = now
source-size = Copy
source-events = { $count ->
    [one] one event, { $size }
   *[other] { $count } events, { $size }
}
source-failures = { $count ->
    [one] One failed fetch { $ago }.
   *[other] { $count } failed fetches in a row, the first { $ago }.
}
exact-words = In the log:
source-inherited = The copy is that of the address before.
source-junk = { $count ->
    [one] One line of the copy was no calendar and was left out.
   *[other] { $count } lines of the copy were no calendar and were left out.
}
source-moved = The source has moved to { $host } for good.
source-egress = Egress
way-last = used last
way-kind-direct = direct
way-kind-http = HTTP proxy
way-kind-socks5h = SOCKS5 proxy
way-untried = not used yet
way-works = works
way-unreachable = leads nowhere
way-proxy_refuses = the proxy refuses
way-throttled = the host refuses
way-secret_reset = works; the host no longer knows the address
aside-what = { $count ->
    [one] Kept aside { $ago }: an answer with one event, against { $held } of the copy.
   *[other] Kept aside { $ago }: an answer with { $count } events, against { $held } of the copy.
}
aside-agreed = { $count ->
    [one] One fetch brought it.
   *[other] { $count } fetches in a row brought it.
}
aside-accept = Accept it
aside-accept-what = Accept it: what is kept aside of { $source }
done-accepted = The answer was accepted. It is served from now on.
done-changed = Nothing was accepted: what was kept aside has changed meanwhile, or is gone.
done-busy = Nothing was accepted: the source is just being fetched. Try again in a moment.
done-failed = Nothing was accepted: the copy could not be stored. The log says why.
day-span = Fetches of the last 24 hours
day-span-started = Fetches since the program started { $ago }
day-words = { $span }, a bar for each quarter of an hour, the higher the slower: { $well } well, { $aside } kept aside, { $failed } failed. Answers took { $took } ms in the mean.
day-words-unanswered = { $span }, a bar for each quarter of an hour: { $well } well, { $aside } kept aside, { $failed } failed.
feed-of = From { $sources }
feed-left-out = Left out until there is a copy: { $sources }
feed-events = { $events ->
    [one] { $events } event
   *[other] { $events } events
} in the sources: { $kept } kept, { $hidden } hidden, { $outside } outside the window, { $doubles } doubles.
feed-no-edition = Nobody has fetched it yet.
feed-rules = { $count ->
    [one] One rule
   *[other] { $count } rules
}
rule-applied = { $count ->
    [0] applied to nothing
    [one] applied to one event
   *[other] applied to { $count } events
}
feed-devices = { $count ->
    [0] No device
    [one] One device
   *[other] { $count } devices
}
devices-more = { $count ->
    [one] One more device is in status.json.
   *[other] { $count } more devices are in status.json.
}
device-last = Fetched { $ago } with { $client }
device-never = Has not fetched since the program started
device-answers = { $full } × 200, { $unchanged } × 304
device-bytes = { $sent } sent; saved { $unchanged } by 304 and { $compressed } by compression
password-needed = A password is needed.
password-wait = Too many wrong passwords.
form-elsewhere = This form did not come from the status page. Open the page by its IP address or as localhost, and try again.
figures-note = What devices fetched is counted since the program started.

error-dns = The host's name could not be resolved.
fix-dns = Check the name, and that this machine resolves names.
error-private_address = The address, or one that a name or redirect leads to, is not public.
fix-private_address = If it is on your own network: allow_private = true for the source.
error-forbidden_port = The address, or one that a redirect leads to, has a port that may not be used.
fix-forbidden_port = If it is meant: ports of the source.
error-proxy_unreachable = No connection to the proxy, or it is none of this kind.
fix-proxy_unreachable = Check that it runs, and its kind, host and port in egress.
error-proxy_auth = The proxy does not accept the credentials.
fix-proxy_auth = Check them in egress.
error-proxy_refused = The proxy does not lead to the host.
fix-proxy_refused = Check what it allows and resolves, or list another way in egress.
error-connect = No connection.
fix-connect = Check that this machine can reach the host; from some networks Google is not reachable: see egress.
error-tls = No secure connection.
fix-tls = Check the certificate; for one of your own set fetch.ca_file.
error-timeout = A deadline passed.
fix-timeout = Nothing to do; it is asked again.
error-interrupted = The answer broke off.
fix-interrupted = Nothing to do; it is asked again.
error-not_http = The port answers, but not with HTTP.
fix-not_http = Check the address.
error-redirects = Too many redirects, or a ring.
fix-redirects = Open the address in a browser and copy the one it ends at.
error-downgrade = Redirected from https to http.
fix-downgrade = Ask for an https address.
error-bad_redirect = Redirected to nowhere.
fix-bad_redirect = Open the address in a browser and copy the one it ends at.
error-sign_in = Redirected to a sign-in page.
fix-sign_in = The calendar is not shared by this address; copy the secret address.
error-throttled = 429: the host refuses this machine for now.
fix-throttled = Nothing to do; if it lasts for days: fetch less often, or by another egress.
error-captcha = The host wants proof of a human.
fix-captcha = Nothing to do; if it lasts for days: fetch less often, or by another egress.
error-denied = 401 or 403.
fix-denied = The address needs a password or is not shared; copy it again.
error-not_found = 404 or 410.
fix-not_found = The secret address was reset, or the calendar is not public; copy the secret address again.
error-refused = Another 4xx.
fix-refused = Check the address in a browser.
error-server_error = The host is in trouble (5xx).
fix-server_error = Nothing to do; it is asked again.
error-unexpected_status = A status that has no place here.
fix-unexpected_status = Check the address in a browser.
error-empty = An empty answer.
fix-empty = Nothing to do; it is asked again.
error-partial = Only a part of an answer (206).
fix-partial = Nothing to do; it is asked again.
error-web_page = A web page (HTML).
fix-web_page = This is a web page's address; use the iCal address.
error-too_large = Larger than max_size.
fix-too_large = If it is really that large, raise it.
error-unknown_coding = Compressed in a way that was not asked for.
fix-unknown_coding = Nothing to do; it is asked again.
error-bad_coding = Damaged compression.
fix-bad_coding = Nothing to do; it is asked again.
error-not_calendar = It does not begin with BEGIN:VCALENDAR.
fix-not_calendar = Nothing to do; it is asked again. If it stays: check the address.
error-truncated = It ends inside a component.
fix-truncated = Nothing to do; it is asked again.
error-unbalanced = BEGIN and END do not match.
fix-unbalanced = Nothing to do; it is asked again.
error-wrong_charset = Not UTF-8.
fix-wrong_charset = Nothing to do; it is asked again.
error-too_much = More lines, components or the like than allowed.
fix-too_much = If it is really like that, raise the limits in [fetch].
error-collapsed = Most events gone at once; kept aside.
fix-collapsed = Nothing to do, or accept it.
error-storage = The copy could not be written.
fix-storage = Check the space and the permissions of the state folder.
