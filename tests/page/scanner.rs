//! Scanners, which see a picture of the page as a phone's camera sees the screen.

use std::path::Path;

use tokio::process::Command;

/// What two of them, neither of them ours, read of the one code in the picture.
pub(crate) async fn read(picture: &Path) -> [String; 2] {
    let zbar = Command::new("zbarimg").args(["-q", "--raw"]).arg(picture).output().await.expect("zbarimg is installed");
    assert!(zbar.status.success(), "{zbar:?}");
    [String::from_utf8(zbar.stdout).unwrap().trim().to_owned(), read_by_rqrr(picture)]
}

fn read_by_rqrr(picture: &Path) -> String {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(std::fs::read(picture).unwrap()));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut bytes).unwrap();
    let (samples, line) = (frame.color_type.samples(), frame.line_size);
    assert!(samples >= 3, "a browser's pictures have colours");
    let grey = |x: usize, y: usize| {
        let colours = &bytes[y * line + x * samples..][..3];
        u8::try_from(colours.iter().map(|colour| u32::from(*colour)).sum::<u32>() / 3).unwrap()
    };
    let (width, height) = (frame.width as usize, frame.height as usize);
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, grey);
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "one code");
    grids[0].decode().unwrap().1
}
