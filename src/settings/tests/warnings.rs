//! What is not wrong, but told.

use std::path::Path;

use super::*;

fn warnings(toml: &str) -> Vec<String> {
    load(toml).unwrap().warnings.iter().map(ToString::to_string).collect()
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The paths that `toml` is warned of when it and the secrets that it names have `mode`, in a folder with `folder_mode`.
fn warned(toml: &str, mode: u32, folder_mode: u32) -> Vec<String> {
    // Everybody can get there, whatever TMPDIR is.
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let path = folder.path().join("calferry.toml");
    for (name, text) in [
        ("calferry.toml", toml),
        ("url", "https://example.com/handed-over/secret.ics"),
        ("other", "https://example.com/other/secret.ics"),
        ("token", "an-old-token-of-24-chars"),
        ("ways", "http://lin:secret@proxy.example:3128"),
        ("key.pem", ""),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
        set_mode(&folder.path().join(name), mode);
    }
    set_mode(folder.path(), folder_mode);
    let environment = [("HOME".to_owned(), "/home/lin".to_owned())];
    let settings = Settings::load(&Origin::File(path), &Given::default(), &environment).unwrap();
    for warning in &settings.warnings {
        let text = warning.to_string();
        assert!(
            text.contains("chmod o-r /tmp/") && !text.contains("secret.ics") && !text.contains("old-token"),
            "{text}"
        );
    }
    settings.warnings.into_iter().map(|warning| warning.path).collect()
}

const FILES: &str = "[server.tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n\
                     [source.a]\nurl_file = \"url\"\negress_file = \"ways\"\n\
                     [feed.me]\nsources = [\"a\"]\n[feed.me.device.old]\ntoken_file = \"token\"\n";

#[test]
fn secrets_that_everybody_can_read_are_told_by_their_place() {
    let places =
        ["server.tls.key", "source.a.url_file", "source.a.egress_file", "feed.me.device.old.token_file"].as_slice();
    assert_eq!(warned(FILES, 0o644, 0o755), places);
    for (mode, folder_mode, why) in [
        (0o640, 0o755, "a group is no stranger"),
        (0o600, 0o755, "for its owner only"),
        (0o644, 0o700, "nobody else gets there"),
    ] {
        assert_eq!(warned(FILES, mode, folder_mode), [""; 0], "{why}");
    }
}

#[test]
fn a_settings_file_that_everybody_can_read_is_told_if_a_secret_stands_in_it() {
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQxMjM0NTY$8Bw5xTjVUWr8bHLxRzW0yV0hPnaQYJtC2K0uSx7bQfo";
    for (secret, more) in [
        (true, "[source.b]\nurl = \"https://example.com/b.ics\"\n".to_owned()),
        (true, "[fetch]\negress = [\"direct\", \"http://lin:hush@proxy.example:3128\"]\n".to_owned()),
        (true, "[source.b]\nurl_file = \"other\"\negress = \"http://lin:hush@proxy.example:3128\"\n".to_owned()),
        (true, format!("[server]\nadmin_password = \"{hash}\"\n")),
        (false, "[fetch]\negress = \"http://proxy.example:3128\"\n".to_owned()),
        (false, String::new()),
    ] {
        let toml = format!("{more}[source.a]\nurl_file = \"url\"\n[feed.me]\nsources = [\"a\"]\n");
        let of_file = warned(&toml, 0o644, 0o755).iter().filter(|path| path.is_empty()).count();
        assert_eq!(of_file, usize::from(secret), "{toml}");
        assert_eq!(warned(&toml, 0o640, 0o755), [""; 0], "{toml}");
    }
}

#[test]
fn a_proxy_that_is_a_large_part_of_the_internet_is_told() {
    let trusting = |list: &str| warnings(&format!("[server]\ntrusted_proxies = [{list}]\n{FEED}"));
    for wide in ["0.0.0.0/0", "::/0", "0.0.0.0/1", "9.0.0.0/8", "2001::/16", "10.0.0.0/7"] {
        for entry in [wide.to_owned(), format!("cloudflare:{wide}")] {
            let told = trusting(&format!("\"127.0.0.1\", \"{entry}\""));
            assert!(told.len() == 1 && told[0].starts_with(&format!("server.trusted_proxies: {wide} is")), "{told:?}");
        }
    }
    let both = trusting("\"0.0.0.0/0\", \"::/0\"");
    assert!(both.len() == 1 && both[0].contains("0.0.0.0/0, ::/0 is"), "{both:?}");
    let own = "\"cloudflare\", \"unix\", \"10.0.0.0/8\", \"172.16.0.0/12\", \"127.0.0.0/8\", \"fd00::/8\", \"fc00::/7\", \
               \"198.51.100.0/24\"";
    assert_eq!(trusting(own), [""; 0]);
}

#[test]
fn an_authority_that_may_not_get_here_is_told_and_taken_for_meant() {
    let listening = |list: &str| {
        let acme = "[server.acme]\ndomains = [\"a.example\"]\n";
        warnings(&format!("public_url = \"https://a.example\"\n[server]\nlisten = [{list}]\n{acme}{FEED}"))
    };
    for (listen, lack) in [
        ("\"127.0.0.1:443\"", "server.acme: only this machine reaches the listener"),
        ("\"[::1]:8443\", \"unix:/run/a\"", "server.acme: only this machine reaches the listener"),
        ("\"0.0.0.0:8443\"", "server.acme: no listener has port 443"),
        ("\"0.0.0.0:8443\", \"127.0.0.1:443\"", "server.acme: no listener has port 443"),
    ] {
        let told = listening(listen);
        assert!(told.len() == 1 && told[0].starts_with(lack), "{listen}: {told:?}");
    }
    for listen in ["\"0.0.0.0:443\"", "\"127.0.0.1:8080\", \"[::]:443\"", "\"systemd:calferry\""] {
        assert_eq!(listening(listen), [""; 0], "{listen}");
    }
}
