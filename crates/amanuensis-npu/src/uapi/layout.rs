//! Structs as bytes, without `unsafe`: each knows its fields' places, and is written and read field by field.

/// Where a field lies in its struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Bytes from the beginning of the struct.
    pub offset: usize,
    /// Its own size in bytes.
    pub size: usize,
}

/// A value that stands in a struct of the kernel's: it has a fixed size, and any bytes of that size are one.
pub trait Plain: Sized {
    /// Bytes it takes.
    const WIDTH: usize;

    /// Writes it. The slice has exactly its width.
    fn put(&self, bytes: &mut [u8]);

    /// Reads it. The slice has exactly its width.
    fn get(bytes: &[u8]) -> Self;
}

macro_rules! plain_numbers {
    ($($number:ty),*) => {$(
        impl Plain for $number {
            const WIDTH: usize = size_of::<$number>();

            fn put(&self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_ne_bytes());
            }

            fn get(bytes: &[u8]) -> Self {
                let mut own = [0; size_of::<$number>()];
                own.copy_from_slice(bytes);
                <$number>::from_ne_bytes(own)
            }
        }
    )*};
}

plain_numbers!(u8, u16, u32, i32, u64, i64);

impl<P: Plain + Default + Copy, const COUNT: usize> Plain for [P; COUNT] {
    const WIDTH: usize = P::WIDTH * COUNT;

    fn put(&self, bytes: &mut [u8]) {
        for (value, place) in self.iter().zip(bytes.chunks_exact_mut(P::WIDTH)) {
            value.put(place);
        }
    }

    fn get(bytes: &[u8]) -> Self {
        let mut own = [P::default(); COUNT];
        for (value, place) in own.iter_mut().zip(bytes.chunks_exact(P::WIDTH)) {
            *value = P::get(place);
        }
        own
    }
}

/// A struct of the kernel's interface.
pub trait Layout: Plain {
    /// Its name here.
    const NAME: &'static str;
    /// Its fields in order, padding included.
    const FIELDS: &'static [Field];

    /// The struct as the kernel wants it.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; Self::WIDTH];
        self.put(&mut bytes);
        bytes
    }

    /// The struct in what the kernel wrote, if that is long enough for it.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.get(..Self::WIDTH).map(Self::get)
    }
}

/// Declares structs of the kernel's with their sizes, which are asserted when this crate is compiled.
macro_rules! layouts {
    ($($(#[$about:meta])* $name:ident[$size:literal] { $($(#[$says:meta])* $field:ident: $kind:ty),* $(,)? })*) => {$(
        $(#[$about])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $name {
            $($(#[$says])* pub $field: $kind,)*
        }

        const _: () = assert!(size_of::<$name>() == $size, concat!("the size of ", stringify!($name)));

        impl $crate::uapi::Plain for $name {
            const WIDTH: usize = $size;

            fn put(&self, bytes: &mut [u8]) {
                $(
                    let start = std::mem::offset_of!($name, $field);
                    <$kind as $crate::uapi::Plain>::put(
                        &self.$field,
                        &mut bytes[start..start + <$kind as $crate::uapi::Plain>::WIDTH],
                    );
                )*
            }

            fn get(bytes: &[u8]) -> Self {
                Self {
                    $($field: {
                        let start = std::mem::offset_of!($name, $field);
                        <$kind as $crate::uapi::Plain>::get(&bytes[start..start + <$kind as $crate::uapi::Plain>::WIDTH])
                    },)*
                }
            }
        }

        impl $crate::uapi::Layout for $name {
            const NAME: &'static str = stringify!($name);
            const FIELDS: &'static [$crate::uapi::Field] = &[
                $($crate::uapi::Field {
                    name: stringify!($field),
                    offset: std::mem::offset_of!($name, $field),
                    size: size_of::<$kind>(),
                },)*
            ];
        }
    )*};
}

pub(super) use layouts;
