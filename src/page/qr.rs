//! A QR code as one path of an SVG: dark runs of each row, a quiet zone of four around them.

use std::fmt::Write;

use qrcode::{Color, EcLevel, QrCode};

/// What stands around a code so that it is found (ISO/IEC 18004 §9.1), in modules.
const QUIET: usize = 4;

/// A code, ready to be drawn.
pub(super) struct Qr {
    /// How many units it is wide and high, the quiet zone included.
    pub(super) side: usize,
    /// The dark modules, as the `d` of a path.
    pub(super) path: String,
}

impl Qr {
    /// The code of `text`; `None` if that is too long for one.
    pub(super) fn of(text: &str) -> Option<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
        let width = code.width();
        let mut path = String::new();
        for (row, modules) in code.to_colors().chunks(width).enumerate() {
            let mut at = 0;
            for run in modules.chunk_by(|one, other| one == other) {
                if run.first() == Some(&Color::Dark) {
                    // Writing to a string cannot fail.
                    let _ = write!(path, "M{} {}h{}v1h-{}z", at + QUIET, row + QUIET, run.len(), run.len());
                }
                at += run.len();
            }
        }
        Some(Self { side: width + 2 * QUIET, path })
    }
}
