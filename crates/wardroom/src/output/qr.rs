//! QR codes for a terminal.

use qrcodegen::{QrCode, QrCodeEcc};

/// The light border that readers need (ISO/IEC 18004), in modules.
const MARGIN: i32 = 4;

/// A QR code in half blocks, two modules in a character: light is drawn, so that it reads on a dark terminal, and by
/// most readers on a light one. `None` when the text is too long for one.
pub(crate) fn qr(text: &str) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Low).ok()?;
    let span = -MARGIN..code.size() + MARGIN;
    let line = |y: i32| -> String {
        let light = |x, y| !code.get_module(x, y);
        let half = |x| match (light(x, y), light(x, y + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        };
        span.clone().map(half).collect()
    };
    Some(span.clone().step_by(2).map(line).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_code_is_square_with_a_light_border() {
        let drawn = qr("otpauth://totp/Wardroom:ann?secret=ABCDEFGH").unwrap();
        let lines: Vec<Vec<char>> = drawn.lines().map(|line| line.chars().collect()).collect();
        let width = lines[0].len();
        assert!(lines.iter().all(|line| line.len() == width));
        assert_eq!(lines.len(), width.div_ceil(2));
        assert!(lines[..2].iter().flatten().all(|half| *half == '█'));
        assert!(lines.iter().all(|line| line[..4] == ['█'; 4]));
        // The finder pattern in the corner: seven dark modules in a row above, one dark behind its border.
        assert_eq!(lines[2][4..11], [' ', '▄', '▄', '▄', '▄', '▄', ' ']);
        assert_eq!(qr(&"x".repeat(4000)), None);
    }
}
