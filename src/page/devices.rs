//! The devices that steps are given for, and which of them a visitor has.

/// A kind of device, or a program on one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// iPhone, iPad.
    Iphone,
    /// macOS.
    Mac,
    /// Xiaomi's phones.
    Xiaomi,
    /// Huawei's phones.
    Huawei,
    /// Those of OPPO, vivo and Honor, and of the brands that belong to them.
    Oppo,
    /// Samsung's phones.
    Samsung,
    /// All other Android phones.
    Android,
    /// Outlook on Windows.
    Outlook,
    /// Thunderbird, wherever it runs.
    Thunderbird,
}

/// What is said of a device: the first part of its messages' names, and how many steps there are.
pub(super) struct Steps {
    pub(super) name: &'static str,
    pub(super) count: usize,
    /// Its own calendar app is not known to take an address.
    pub(super) has_note: bool,
}

/// Words of a `User-Agent`, in small letters, and what they tell. The first row that fits counts: phones of every maker
/// say "android", and many say "linux".
#[rustfmt::skip]
const TELLING: &[(Device, &[&str])] = &[
    (Device::Thunderbird, &["thunderbird"]),
    (Device::Iphone, &["iphone", "ipad", "ipod"]),
    // Before Huawei, of which Honor was a brand, and whose word is still in some of its phones' names.
    (Device::Oppo, &["honor", "magicos", "oppo", "heytap", "coloros", "oneplus", "realme", "rmx", "; cph", "vivo", "iqoo"]),
    (Device::Xiaomi, &["xiaomi", "redmi", "poco", "miui", "hyperos", "; mi ", "; mix ", "; m20", "; 21", "; 22", "; 23", "; 24", "; 25"]),
    (Device::Huawei, &["huawei", "harmonyos", "openharmony", "hmscore", "arkweb", "-an00", "-al00", "-al10", "-an10"]),
    (Device::Samsung, &["samsung", "; sm-"]),
    (Device::Android, &["android"]),
    (Device::Mac, &["macintosh", "mac os x"]),
    (Device::Outlook, &["windows"]),
    (Device::Thunderbird, &["linux", "x11", "freebsd"]),
];

impl Device {
    /// Every device, in the order in which they are listed.
    pub const ALL: [Self; 9] = [
        Self::Iphone,
        Self::Mac,
        Self::Xiaomi,
        Self::Huawei,
        Self::Oppo,
        Self::Samsung,
        Self::Android,
        Self::Outlook,
        Self::Thunderbird,
    ];

    /// The device that a browser with this `User-Agent` runs on, as far as that tells. An iPad may pass for a Mac.
    pub fn of_agent(agent: &str) -> Option<Self> {
        let agent: String = agent.chars().take(1000).collect::<String>().to_ascii_lowercase();
        let tells = |(_, words): &&(Self, &[&str])| words.iter().any(|word| agent.contains(word));
        TELLING.iter().find(tells).map(|(device, _)| *device)
    }

    pub(super) fn steps(self) -> Steps {
        let (name, count, has_note) = match self {
            Self::Iphone => ("iphone", 4, false),
            Self::Mac => ("mac", 3, false),
            Self::Xiaomi => ("xiaomi", 4, true),
            Self::Huawei => ("huawei", 4, true),
            Self::Oppo => ("oppo", 4, true),
            Self::Samsung => ("samsung", 4, true),
            Self::Android => ("android", 4, true),
            Self::Outlook => ("outlook", 2, false),
            Self::Thunderbird => ("thunderbird", 2, false),
        };
        Steps { name, count, has_note }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_tell_what_they_run_on() {
        let agents = [
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1",
                Device::Iphone,
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15",
                Device::Mac,
            ),
            (
                "Mozilla/5.0 (Linux; U; Android 14; zh-cn; 23127PN0CC Build/UKQ1) AppleWebKit/537.36 XiaoMi/MiuiBrowser/18.5",
                Device::Xiaomi,
            ),
            (
                "Mozilla/5.0 (Linux; Android 15; 24129PN74C) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36",
                Device::Xiaomi,
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; HarmonyOS; NOH-AN00; HMSCore 6.13) AppleWebKit/537.36 HuaweiBrowser/15.0 Mobile",
                Device::Huawei,
            ),
            (
                "Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 Chrome/114.0 Safari/537.36 ArkWeb/4.1 Mobile",
                Device::Huawei,
            ),
            (
                "Mozilla/5.0 (Linux; U; Android 14; zh-cn; PHT110 Build/UKQ1) AppleWebKit/537.36 HeyTapBrowser/45.10",
                Device::Oppo,
            ),
            ("Mozilla/5.0 (Linux; Android 14; V2309A) AppleWebKit/537.36 Chrome/130.0 VivoBrowser/20.8", Device::Oppo),
            ("Mozilla/5.0 (Linux; Android 14; HONOR BVL-AN00) AppleWebKit/537.36 Chrome/130.0 Mobile", Device::Oppo),
            (
                "Mozilla/5.0 (Linux; Android 14; SM-S9280) AppleWebKit/537.36 SamsungBrowser/27.0 Mobile Safari/537.36",
                Device::Samsung,
            ),
            (
                "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36",
                Device::Android,
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36",
                Device::Android,
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0",
                Device::Outlook,
            ),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", Device::Thunderbird),
        ];
        for (agent, device) in agents {
            assert_eq!(Device::of_agent(agent), Some(device), "{agent}");
        }
        assert_eq!(Device::of_agent("curl/8.5.0"), None);
        assert_eq!(Device::of_agent(""), None);
    }
}
