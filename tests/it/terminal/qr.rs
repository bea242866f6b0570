//! QR codes, read by a reader that is not ours.

use super::{Desk, done, interrupt, mode, shown_until};

/// What the one code among dark and light modules or pixels says.
fn read(width: usize, dark: &[bool]) -> String {
    // A few pixels for each module, as a camera has.
    let scale = if width < 100 { 4 } else { 1 };
    let pixel = |x: usize, y: usize| if dark[y / scale * width + x / scale] { 0 } else { 255 };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width * scale, dark.len() / width * scale, pixel);
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "one code");
    grids[0].decode().unwrap().1
}

/// What the code says whose half blocks are in `shown`.
fn from_terminal(shown: &str) -> String {
    let rows: Vec<_> = shown.lines().filter_map(|line| line.strip_prefix("\x1b[38;5;16;48;5;231m")).collect();
    let mut dark = Vec::new();
    let mut width = 0;
    for row in rows {
        let blocks: Vec<_> =
            row.trim_end().strip_suffix("\x1b[0m").expect("colours end with the line").chars().collect();
        width = blocks.len();
        dark.extend(blocks.iter().map(|block| matches!(block, '█' | '▀')));
        dark.extend(blocks.iter().map(|block| matches!(block, '█' | '▄')));
    }
    let quiet = |dark: &bool| !dark;
    assert!(dark.iter().take(4 * width).all(quiet), "four quiet rows");
    assert!(dark.chunks(width).all(|row| row.iter().take(4).chain(row.iter().rev().take(4)).all(quiet)));
    read(width, &dark)
}

fn from_svg(svg: &str) -> String {
    let part = |from: &str| svg.split(from).nth(1).unwrap().split('"').next().unwrap();
    let side: usize = part("viewBox=\"0 0 ").split(' ').next().unwrap().parse().unwrap();
    let mut dark = vec![false; side * side];
    for run in part("path d=\"").split('M').skip(1) {
        let (place, rest) = run.split_once('h').unwrap();
        let (x, y) = place.split_once(' ').unwrap();
        let [x, y, length] = [x, y, rest.split('v').next().unwrap()].map(|number| number.parse::<usize>().unwrap());
        dark[y * side + x..][..length].fill(true);
    }
    read(side, &dark)
}

fn from_png(file: &[u8]) -> String {
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
    let (width, size) = (reader.info().width as usize, reader.output_buffer_size().unwrap());
    assert_eq!(reader.info().bit_depth, png::BitDepth::One);
    let mut bytes = vec![0; size];
    reader.next_frame(&mut bytes).unwrap();
    let dark: Vec<_> = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 0)).collect();
    assert_eq!(dark.len() % width, 0);
    read(width, &dark)
}

#[tokio::test]
async fn the_code_on_the_terminal_and_in_pictures_is_the_devices_url() {
    let desk = Desk::new("devices = [\"iphone\", \"xiaomi\"]");
    let url = desk.run(&["url", "me", "--device", "xiaomi"]).await.out.trim().to_owned();
    assert!(url.starts_with("https://cal.example.com/"), "{url}");

    let on_terminal = desk.run(&["qr", "me", "--device", "xiaomi"]).await;
    assert_eq!(from_terminal(&on_terminal.out), url, "{}", on_terminal.said);
    assert!(on_terminal.out.ends_with(&format!("feed me  device xiaomi  {url}\n")));

    for (option, name) in [("--svg", "code.svg"), ("--png", "code.png")] {
        let done = desk.run(&["qr", "me", "--device", "xiaomi", option, name]).await;
        assert_eq!((done.code, done.out.as_str(), done.said.as_str()), (0, "", ""));
        assert_eq!(mode(&desk.path(name)), 0o600);
    }
    assert_eq!(from_svg(&desk.read("code.svg")), url);
    let piped = desk.run(&["qr", "me", "--device", "xiaomi", "--svg", "-"]).await;
    assert_eq!((from_svg(&piped.out), piped.said.as_str(), desk.path("-").exists()), (url.clone(), "", false));
    let mut command = desk.command(env!("CARGO_BIN_EXE_calferry"));
    let piped = command.args(["qr", "me", "--device", "xiaomi", "--png", "-"]).output().await.unwrap();
    assert_eq!(from_png(&piped.stdout), url);
    assert_eq!(from_png(&std::fs::read(desk.path("code.png")).unwrap()), url);
}

#[tokio::test]
async fn a_picture_takes_no_other_files_place_unless_it_is_told_to() {
    let desk = Desk::new("devices = [\"iphone\"]");
    std::fs::write(desk.path("code.png"), "something else").unwrap();
    let refused = desk.run(&["qr", "me", "--png", "code.png"]).await;
    assert_eq!(refused.code, 1);
    assert_eq!(refused.said, "calferry: code.png is there already; name another file, or replace it with --force\n");
    assert_eq!(desk.read("code.png"), "something else");
    assert_eq!(desk.run(&["qr", "me", "--png", "code.png", "--force"]).await.code, 0);
    assert_eq!(mode(&desk.path("code.png")), 0o600);
    let url = desk.run(&["url", "me", "--device", "iphone"]).await.out;
    assert_eq!(from_png(&std::fs::read(desk.path("code.png")).unwrap()), url.trim());
    assert_eq!(
        std::fs::read_dir(desk.dir.path())
            .unwrap()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(".calferry-"))
            .count(),
        0
    );
}

#[tokio::test]
async fn a_picture_that_cannot_be_written_is_told_of_by_its_own_name() {
    let desk = Desk::new("devices = [\"iphone\"]");
    let refused = desk.run(&["qr", "me", "--png", "/nonexistent/x.png"]).await;
    assert_eq!(refused.said, "calferry: /nonexistent/x.png cannot be written: there is no such folder\n");
}

#[tokio::test]
async fn a_code_needs_one_device() {
    let desk = Desk::new("devices = [\"iphone\", \"xiaomi\"]");
    for (arguments, says) in [
        (&["qr", "me"][..], "which device? name one with --device; there are: iphone, xiaomi"),
        (&["qr", "me", "--device", "ipad"], "feed me has no device named \"ipad\"; its devices are: iphone, xiaomi"),
        (&["qr", "you"], "no feed named \"you\"; the feeds are: me"),
    ] {
        let done = desk.run(arguments).await;
        assert_eq!((done.code, done.said), (1, format!("calferry: {says}\n")));
    }
}

#[tokio::test]
async fn serve_on_a_terminal_shows_the_code_of_a_single_device() {
    let desk = Desk::new("devices = [\"iphone\"]\n[server]\nlisten = \"127.0.0.1:0\"");
    let mut server = desk.on_terminal(&["serve"]);
    let shown = shown_until(&mut server, "serving on").await;
    let url = desk.run(&["url", "me", "--device", "iphone"]).await.out;
    assert!(shown.contains(&format!("feed me  device iphone  {}", url.trim())), "{shown}");
    assert_eq!(from_terminal(&shown), url.trim());
    interrupt(server).await;
}

#[tokio::test]
async fn serve_on_a_terminal_shows_the_codes_of_a_single_feed_with_few_devices() {
    let desk = Desk::new("devices = [\"iphone\", \"xiaomi\"]\n[server]\nlisten = \"127.0.0.1:0\"");
    for arguments in [&["serve"][..], &["serve", "--qr"]] {
        let mut server = desk.on_terminal(arguments);
        let shown = shown_until(&mut server, "serving on").await;
        let codes: Vec<_> = shown.split("feed me  device ").collect();
        for (name, code) in ["iphone\r\n", "xiaomi\r\n"].into_iter().zip(&codes[3..]) {
            let code = code.strip_prefix(name).expect("a line that says whose it is");
            let url = desk.run(&["url", "me", "--device", name.trim()]).await.out;
            assert_eq!(from_terminal(code), url.trim());
        }
        interrupt(server).await;
    }
}

#[tokio::test]
async fn serve_on_a_terminal_says_where_the_codes_of_many_devices_are() {
    let listen = "[server]\nlisten = \"127.0.0.1:0\"\n";
    let other = "[feed.other]\nsources = [\"work\"]\n";
    for feed in [format!("devices = \"a, b, c, d\"\n{listen}"), format!("{listen}{other}")] {
        let desk = Desk::new(&feed);
        let mut server = desk.on_terminal(&["serve"]);
        let shown = shown_until(&mut server, "serving on").await;
        assert!(shown.contains("QR codes: calferry serve --qr, or calferry qr FEED --device DEVICE"), "{shown}");
        assert!(!shown.contains("\x1b[38;5;16"), "{shown}");
        interrupt(server).await;
    }
}

#[tokio::test]
async fn the_demonstration_on_a_terminal_shows_a_code() {
    let desk = Desk::empty();
    let mut demo = desk.on_terminal(&["demo", "--listen", "127.0.0.1:18481"]);
    let shown = shown_until(&mut demo, "serving on").await;
    assert!(from_terminal(&shown).starts_with("http://127.0.0.1:18481/"));
    assert!(shown.contains("calferry demo --listen ADDRESS:8080"), "what phones need: {shown}");
    interrupt(demo).await;
}

#[tokio::test]
async fn a_terminal_that_is_too_narrow_is_told_so_and_shown_nothing_torn() {
    let desk = Desk::new("devices = [\"iphone\"]\n[server]\nlisten = \"127.0.0.1:0\"");
    let shown = done(desk.on_narrow_terminal(&["qr", "me"]).wait_with_output().await.unwrap());
    assert_eq!(shown.code, 1);
    let mut server = desk.on_narrow_terminal(&["serve"]);
    let first = shown_until(&mut server, "serving on").await;
    interrupt(server).await;
    let added = done(desk.on_narrow_terminal(&["device", "add", "me", "ipad"]).wait_with_output().await.unwrap());
    for shown in [&shown.out, &first, &added.out] {
        assert!(shown.contains("which needs 41 columns, and it has 30"), "{shown}");
        assert!(shown.contains("--png FILE") && shown.contains("--svg FILE"), "{shown}");
        assert!(!shown.contains("\x1b[38;5;16"), "{shown}");
    }
    // Elsewhere than on a terminal nothing is wrapped.
    assert_eq!(desk.run(&["qr", "me", "--device", "iphone"]).await.code, 0);
}
