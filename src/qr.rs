//! QR codes: a device's URL for the camera of its phone. A code holds the whole URL, so it is as secret as that.

use std::fmt;
use std::io::{self, Write};

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use qrcodegen::{QrCode, QrCodeEcc};

/// Light modules around a code, as the standard wants them.
const QUIET: i32 = 4;
/// Pixels of a module in a picture.
const SCALE: usize = 8;
/// The black and the white of the 256-colour palette: unlike the first sixteen, no terminal's theme changes them.
const BLACK_ON_WHITE: &str = "\x1b[38;5;16;48;5;231m";
const PLAIN: &str = "\x1b[0m";

/// A QR code.
pub struct Qr(QrCode);

/// The text does not fit into a QR code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is too long for a QR code")]
pub struct TooLong;

impl fmt::Debug for Qr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Qr(…)")
    }
}

impl Qr {
    /// The code of `text`.
    ///
    /// # Errors
    /// [`TooLong`], from about 2,300 bytes on.
    pub fn new(text: &str) -> Result<Self, TooLong> {
        QrCode::encode_text(text, QrCodeEcc::Medium).map(Self).map_err(|_| TooLong)
    }

    /// Modules on one side, the quiet zone with them.
    fn side(&self) -> i32 {
        self.0.size() + 2 * QUIET
    }

    /// Whether the module there is dark. Outside of the code all are light.
    fn dark(&self, x: i32, y: i32) -> bool {
        self.0.get_module(x - QUIET, y - QUIET)
    }

    /// For a terminal: two modules in each character, black on white whatever its own colours are.
    pub fn half_blocks(&self) -> String {
        let mut text = String::new();
        for y in (0..self.side()).step_by(2) {
            text.push_str(BLACK_ON_WHITE);
            text.extend((0..self.side()).map(|x| match (self.dark(x, y), self.dark(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            }));
            text.push_str(PLAIN);
            text.push('\n');
        }
        text
    }

    /// Modules on one side, the quiet zone with them: as many columns does [`Qr::half_blocks`] take.
    pub fn columns(&self) -> usize {
        usize::try_from(self.side()).unwrap_or_default()
    }

    /// As SVG, black on white, without a size of its own.
    pub fn svg(&self) -> String {
        let (side, path) = (self.side(), self.path());
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
             <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path d=\"{path}\" fill=\"#000\"/></svg>\n"
        )
    }

    /// The dark modules as the `d` of an SVG path, in a square of [`Qr::columns`] on each side.
    pub fn path(&self) -> String {
        let side = self.side();
        let mut path = String::new();
        for y in 0..side {
            let mut x = 0;
            while x < side {
                let run = (x..side).take_while(|x| self.dark(*x, y)).count();
                if run > 0 {
                    path.push_str(&format!("M{x} {y}h{run}v1h-{run}z"));
                }
                x += i32::try_from(run).unwrap_or(side).max(1);
            }
        }
        path
    }

    /// As PNG, black on white. One bit for each pixel is all it needs, which is no work for a library.
    ///
    /// # Errors
    /// None in practice: memory is written to.
    pub fn png(&self) -> io::Result<Vec<u8>> {
        let pixels = self.columns() * SCALE;
        let width = u32::try_from(pixels).map_err(io::Error::other)?.to_be_bytes();
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        // One bit a pixel, grey, no interlacing.
        chunk(&mut file, *b"IHDR", &[&width[..], &width, &[1, 0, 0, 0, 0]].concat())?;
        let mut rows = ZlibEncoder::new(Vec::new(), Compression::best());
        for y in 0..self.side() {
            // A module is as wide as a byte has bits.
            let light = |x| if self.dark(x, y) { 0 } else { 0xff };
            let row: Vec<u8> = std::iter::once(0).chain((0..self.side()).map(light)).collect();
            rows.write_all(&row.repeat(SCALE))?;
        }
        chunk(&mut file, *b"IDAT", &rows.finish()?)?;
        chunk(&mut file, *b"IEND", &[])?;
        Ok(file)
    }
}

fn chunk(file: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) -> io::Result<()> {
    let mut sum = Crc::new();
    sum.update(&kind);
    sum.update(data);
    file.extend(u32::try_from(data.len()).map_err(io::Error::other)?.to_be_bytes());
    file.extend(kind);
    file.extend(data);
    file.extend(sum.sum().to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_nothing_in_a_log_and_a_text_that_does_not_fit_is_refused() {
        assert_eq!(format!("{:?}", Qr::new("https://cal.example.com/secret.ics").unwrap()), "Qr(…)");
        assert_eq!(Qr::new(&"x".repeat(3000)).unwrap_err(), TooLong);
    }
}
