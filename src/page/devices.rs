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
/// say "android", and many say "linux". A row of no device is one that no steps are given for.
#[rustfmt::skip]
const TELLING: &[(Option<Device>, &[&str])] = &[
    (Some(Device::Thunderbird), &["thunderbird"]),
    (Some(Device::Iphone), &["iphone", "ipad", "ipod"]),
    // Before Huawei, of which Honor was a brand, and whose word is still in some of its phones' names.
    (Some(Device::Oppo), &["honor", "magicos", "oppo", "heytap", "coloros", "oneplus", "realme", "rmx", "; cph", "vivo", "iqoo"]),
    (Some(Device::Xiaomi), &["xiaomi", "redmi", "poco", "miui", "hyperos", "; mi ", "; mix ", "; m20"]),
    (Some(Device::Huawei), &["huawei", "harmonyos", "openharmony", "hmscore", "arkweb"]),
    (Some(Device::Samsung), &["samsung", "; sm-"]),
];

/// The same, for what says no maker by its words or its model.
#[rustfmt::skip]
const SYSTEMS: &[(Option<Device>, &[&str])] = &[
    (Some(Device::Android), &["android"]),
    (Some(Device::Mac), &["macintosh", "mac os x"]),
    (Some(Device::Outlook), &["windows"]),
    // ChromeOS has no Thunderbird, and its own calendar takes no address.
    (None, &["; cros "]),
    (Some(Device::Thunderbird), &["linux", "x11", "freebsd"]),
];

/// Huawei's phones whose names have the ending that Honor's had from 2021 on.
const HUAWEI_AN: [&str; 9] = ["ana", "cdy", "els", "jef", "lio", "noh", "oce", "tas", "wlz"];

/// Whose phone has this name, in small letters: many makers' browsers say nothing else of them.
fn maker(model: &str) -> Option<Device> {
    let bytes = model.as_bytes();
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let letters = |part: &[u8]| part.iter().all(u8::is_ascii_lowercase);
    match bytes {
        // 23127pn0cc: the year and the month in which it was announced.
        [b'2', year, m1, m2, rest @ ..] if digits(&[*year, *m1, *m2]) && (4..=8).contains(&rest.len()) => {
            let month = (m1 - b'0') * 10 + (m2 - b'0');
            let is_name = rest.iter().all(u8::is_ascii_alphanumeric) && !digits(rest);
            ((1..=12).contains(&month) && is_name).then_some(Device::Xiaomi)
        }
        // V2324A of vivo.
        [b'v', b'1' | b'2', a, b, c, rest @ ..] if digits(&[*a, *b, *c]) && rest.len() <= 2 && letters(rest) => {
            Some(Device::Oppo)
        }
        // PJZ110 and PEGM00 of OPPO and OnePlus.
        [b'p', a, b, b'1' | b'm' | b't', c, b'0'] if letters(&[*a, *b]) && digits(&[*c]) => Some(Device::Oppo),
        // ALN-AL80 of Huawei, ALI-AN00 of Honor.
        [name @ .., b'-', b'a', kind @ (b'l' | b'n'), tens, ones]
            if name.len() == 3 && letters(name) && digits(&[*tens, *ones]) =>
        {
            let is_huawei = *kind == b'l' || HUAWEI_AN.iter().any(|name| model.starts_with(name));
            Some(if is_huawei { Device::Huawei } else { Device::Oppo })
        }
        _ => None,
    }
}

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

    /// The device that a browser with this `User-Agent` runs on, as far as that tells; `model` is what else it says of a
    /// phone's name, or nothing. An iPad may pass for a Mac.
    pub fn of_agent(agent: &str, model: &str) -> Option<Self> {
        let short = |text: &str, most| text.chars().take(most).collect::<String>().to_ascii_lowercase();
        // In the form in which the agent itself has the name, if it has one.
        let agent = format!("{}; {})", short(agent, 1000), short(model.trim_matches('"'), 100));
        let of = |table: &[(Option<Self>, &[&str])]| {
            let tells = |(_, words): &&(Option<Self>, &[&str])| words.iter().any(|word| agent.contains(word));
            table.iter().find(tells).map(|(device, _)| *device)
        };
        let by_name = || {
            let parts = agent.contains("android").then(|| agent.split([';', '(', ')'])).into_iter().flatten();
            parts.map(|part| part.split(" build/").next().unwrap_or(part).trim()).find_map(maker)
        };
        of(TELLING).or_else(|| by_name().map(Some)).or_else(|| of(SYSTEMS)).flatten()
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
            assert_eq!(Device::of_agent(agent, ""), Some(device), "{agent}");
        }
        for agent in ["curl/8.5.0", "", "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/130.0"] {
            assert_eq!(Device::of_agent(agent, ""), None, "{agent}");
        }
    }

    #[test]
    fn a_phones_name_tells_its_maker_wherever_it_is_said() {
        let names = [
            ("ALI-AN00", Device::Oppo),
            ("MAA-AN10", Device::Oppo),
            ("PJZ110", Device::Oppo),
            ("PEGM00", Device::Oppo),
            ("CPH2581", Device::Oppo),
            ("RMX3888", Device::Oppo),
            ("V2324A", Device::Oppo),
            ("V2408", Device::Oppo),
            ("ALN-AL80", Device::Huawei),
            ("NOH-AN00", Device::Huawei),
            ("23127PN0CC", Device::Xiaomi),
            ("2201123C", Device::Xiaomi),
            ("M2012K11AC", Device::Xiaomi),
            ("SM-S9280", Device::Samsung),
            ("Pixel 9", Device::Android),
            ("XT2343-3", Device::Android),
            ("V40", Device::Android),
            ("20221101", Device::Android),
            ("29991234X", Device::Android),
        ];
        for (name, device) in names {
            let agent = |name: &str| format!("Mozilla/5.0 (Linux; Android 10; {name}) AppleWebKit/537.36 Chrome/130.0");
            let built = agent(&format!("{name} Build/UKQ1"));
            for (agent, model) in
                [(agent(name), ""), (built, ""), (agent("K"), name), (agent("K"), &format!("\"{name}\""))]
            {
                assert_eq!(Device::of_agent(&agent, model), Some(device), "{agent} {model}");
            }
        }
        // A desktop's browser has a name for no phone.
        let agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/130.0";
        assert_eq!(Device::of_agent(agent, "\"\""), Some(Device::Outlook));
    }
}
