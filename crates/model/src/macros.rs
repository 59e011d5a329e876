//! One macro for every closed set, so that names on the wire, in labels and in documents cannot drift apart.

/// Defines a closed set: an enum whose members carry the name used on the wire.
///
/// Gives `ALL`, `as_str`, `from_name`, `Display`, `FromStr`, `code` (a stable small integer: the position in the list) and
/// `from_code`. Members are only ever appended, because codes are written into state and frames.
#[macro_export]
macro_rules! closed_set {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        $vis enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// Every member, in the order of its code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire and in metric labels.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The member with that name; names are compared exactly.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }

            /// The stable small integer written into frames and state.
            #[must_use]
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The member with that code, if this version knows it.
            #[must_use]
            pub fn from_code(code: u64) -> Option<Self> {
                usize::try_from(code).ok().and_then(|at| Self::ALL.get(at).copied())
            }
        }

        impl ::core::fmt::Display for $name {
            fn fmt(&self, out: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                out.write_str(self.as_str())
            }
        }

        impl ::core::str::FromStr for $name {
            type Err = $crate::vocabulary::UnknownName;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                Self::from_name(name).ok_or($crate::vocabulary::UnknownName { set: stringify!($name) })
            }
        }
    };
}
