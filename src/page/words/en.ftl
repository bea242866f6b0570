### The subscription page in English. Every message is in zh-Hans.ftl too.

language = Language
skip = Skip to the agenda
subscribe-to = Subscribe to this calendar
open = Open in the calendar app
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
stale-refusing = { $who } is refusing this server since { $since }, showing the copy of { $copy }.
stale-unreachable = { $who } cannot be reached since { $since }, showing the copy of { $copy }.
stale-unknown = { $who } no longer knows the address of this calendar since { $since }, showing the copy of { $copy }. Whoever runs this server has to put in a new one.
stale-trouble = { $who } is in trouble since { $since }, showing the copy of { $copy }.
stale-unusable = { $who } gives no usable calendar since { $since }, showing the copy of { $copy }.
stale-collapsed = { $who } says that most events are gone. Until that is certain, the copy of { $copy } is shown.
stale-late = Last synced { $ago }.
waiting = The calendar has not arrived here yet. Load this page again in a moment; subscribing works already.
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
