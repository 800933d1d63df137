//! Lists of names: an enum, its names on the wire, and the way back.

/// A text that names nothing of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {0}")]
pub struct Unknown(pub &'static str);

macro_rules! named {
    ($(#[$doc:meta])* $kind:ident = $all:literal { $($(#[$item:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $kind { $($(#[$item])* $variant),+ }

        impl $kind {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::str::FromStr for $kind {
            type Err = $crate::named::Unknown;
            fn from_str(text: &str) -> Result<Self, $crate::named::Unknown> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text).ok_or($crate::named::Unknown($all))
            }
        }
    };
}
pub(crate) use named;
