//! Pictures to be scanned.

use qrcodegen::{QrCode, QrCodeEcc};
use std::fmt::Write as _;

/// The light border that readers need (ISO/IEC 18004), in modules.
const MARGIN: i32 = 4;

/// A QR code as SVG, dark on white in dark mode as well; `None` when the text is too long for one.
pub(crate) fn svg(text: &str) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let mut path = String::new();
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let from = x;
            while code.get_module(x, y) {
                x += 1;
            }
            if x > from {
                let width = x - from;
                let _ = write!(path, "M{} {}h{width}v1h-{width}z", from + MARGIN, y + MARGIN);
            }
            x += 1;
        }
    }
    let side = code.size() + 2 * MARGIN;
    Some(format!(
        "<svg class=\"qr\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" role=\"img\" aria-label=\"QR code\" shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_dark_module_is_drawn_once() {
        let text = "otpauth://totp/Wardroom:ada?secret=GEZDGNBVGY3TQOJQ";
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).unwrap();
        let dark = (0..code.size())
            .flat_map(|y| (0..code.size()).map(move |x| (x, y)))
            .filter(|(x, y)| code.get_module(*x, *y))
            .count();
        let picture = svg(text).unwrap();
        let (_, path) = picture.split_once("d=\"M0").unwrap();
        let (_, path) = path.split_once("d=\"").unwrap();
        let drawn: i32 = path
            .split('h')
            .filter_map(|part| {
                part.split_once("v1").and_then(|(width, _)| width.parse::<i32>().ok())
            })
            .sum();
        assert_eq!(usize::try_from(drawn).unwrap(), dark);
        assert!(svg(&"x".repeat(5000)).is_none());
    }
}
