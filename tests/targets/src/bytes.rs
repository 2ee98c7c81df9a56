//! A plan as the fuzzer's bytes, and back. Every byte string is a plan, so no mutation is wasted;
//! missing bytes count as zeros. Every plan has its bytes.
//!
//! - A number has its bytes, the lowest first. A switch and an option are set if their byte is odd.
//! - A byte below the number of an enum's variants chooses one of them. Half of the other bytes choose
//!   the first variant, so the usual case is written first.
//! - A list goes on until a byte is divisible by 16: random lists have about 16 elements.
//! - A text or a payload goes on until the byte 255, which UTF-8 never has.

use std::fmt::Display;

use serde::de::value::Error;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer as _,
    SeqAccess, VariantAccess, Visitor,
};
use serde::ser::{self, Impossible, Serialize, Serializer};

/// The name of a type, a variant or a field. It takes no byte.
type Name = &'static str;

type Result<T> = std::result::Result<T, Error>;

/// Ends a text. If an odd byte follows, it is part of the text.
const MARK: u8 = 255;

/// Of this many bytes before an element, one ends the list.
const LAST: u8 = 16;

/// The plan of these bytes.
pub(crate) fn decode<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> T {
    match T::deserialize(&mut Reader(bytes)) {
        Ok(plan) => plan,
        Err(error) => panic!("not the type of a plan: {error}"),
    }
}

/// The shortest bytes of a plan.
pub(crate) fn encode<T: Serialize>(plan: &T) -> Vec<u8> {
    let mut writer = Writer(Vec::new());
    if let Err(error) = plan.serialize(&mut writer) {
        panic!("not the type of a plan: {error}");
    }
    while writer.0.pop_if(|last| *last == 0).is_some() {}
    writer.0
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    fn number<const SIZE: usize>(&mut self) -> [u8; SIZE] {
        std::array::from_fn(|_| self.byte())
    }

    fn text(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        while !self.0.is_empty() {
            match self.byte() {
                MARK if self.byte().is_multiple_of(2) => break,
                byte => text.push(byte),
            }
        }
        text
    }
}

/// One method for each kind of number.
macro_rules! read_numbers {
    ($($read:ident $visit:ident $number:ty,)*) => {$(
        fn $read<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            visitor.$visit(<$number>::from_le_bytes(self.number()))
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Reader<'_> {
    type Error = Error;

    read_numbers! {
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64, deserialize_f32 visit_f32 f32,
        deserialize_f64 visit_f64 f64,
    }

    fn is_human_readable(&self) -> bool {
        false // a text has words for indexes
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
        Err(Error::custom("add its kind to bytes.rs"))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_bool(self.byte() % 2 == 1)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_string(String::from_utf8_lossy(&self.text()).into_owned())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_byte_buf(self.text())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.byte() % 2 == 1 { visitor.visit_some(self) } else { visitor.visit_none() }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: Name, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_seq(Elements(self, None))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value> {
        visitor.visit_seq(Elements(self, Some(length)))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: Name,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: Name,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let byte = usize::from(self.byte());
        let index = match byte {
            byte if byte < variants.len() => byte,
            byte if byte.is_multiple_of(2) => 0,
            byte => byte / 2 % variants.len(),
        };
        visitor.visit_enum(Variant(self, index))
    }

    serde::forward_to_deserialize_any! {
        char str bytes unit unit_struct tuple_struct map identifier ignored_any
    }
}

/// A list, or a tuple of this many elements.
struct Elements<'a, 'b>(&'a mut Reader<'b>, Option<usize>);

impl<'de> SeqAccess<'de> for Elements<'_, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let goes_on = match &mut self.1 {
            None => !self.0.byte().is_multiple_of(LAST),
            Some(left) => left.checked_sub(1).map(|less| *left = less).is_some(),
        };
        goes_on.then(|| seed.deserialize(&mut *self.0)).transpose()
    }
}

struct Variant<'a, 'b>(&'a mut Reader<'b>, usize);

impl<'de, 'a, 'b> EnumAccess<'de> for Variant<'a, 'b> {
    type Error = Error;
    type Variant = &'a mut Reader<'b>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self::Variant)> {
        Ok((seed.deserialize(self.1.into_deserializer())?, self.0))
    }
}

impl<'de> VariantAccess<'de> for &mut Reader<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_tuple(fields.len(), visitor)
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn text(&mut self, text: &[u8]) -> Result<&mut Self> {
        for byte in text {
            self.0.push(*byte);
            self.0.extend((*byte == MARK).then_some(1));
        }
        self.0.extend([MARK, 0]);
        Ok(self)
    }

    fn byte(&mut self, byte: impl TryInto<u8, Error: Display>) -> Result<&mut Self> {
        self.0.push(byte.try_into().map_err(Error::custom)?);
        Ok(self)
    }
}

macro_rules! write_numbers {
    ($($write:ident $number:ty,)*) => {$(
        fn $write(self, number: $number) -> Result<()> {
            self.0.extend(number.to_le_bytes());
            Ok(())
        }
    )*};
}

macro_rules! write_no {
    ($($write:ident $kind:ty,)*) => {$(
        fn $write(self, _: $kind) -> Result<()> {
            Err(Error::custom("add its kind to bytes.rs"))
        }
    )*};
}

impl Serializer for &mut Writer {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Impossible<(), Error>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    write_numbers! {
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64,
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
        serialize_f32 f32, serialize_f64 f64,
    }

    write_no! { serialize_char char, serialize_unit_struct &'static str, }

    fn is_human_readable(&self) -> bool {
        false // a text has words for indexes
    }

    fn serialize_bool(self, switch: bool) -> Result<()> {
        self.byte(u8::from(switch)).map(drop)
    }

    fn serialize_str(self, text: &str) -> Result<()> {
        self.text(text.as_bytes()).map(drop)
    }

    fn serialize_bytes(self, payload: &[u8]) -> Result<()> {
        self.text(payload).map(drop)
    }

    fn serialize_none(self) -> Result<()> {
        self.byte(0).map(drop)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        value.serialize(self.byte(1)?)
    }

    fn serialize_unit(self) -> Result<()> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: Name, index: u32, _: Name) -> Result<()> {
        self.byte(index).map(drop)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: Name, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: Name,
        index: u32,
        _: Name,
        value: &T,
    ) -> Result<()> {
        value.serialize(self.byte(index)?)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self> {
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: Name, _: usize) -> Result<Self> {
        Ok(self)
    }

    fn serialize_tuple_variant(self, _: Name, index: u32, _: Name, _: usize) -> Result<Self> {
        self.byte(index)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap> {
        Err(Error::custom("add maps to bytes.rs"))
    }

    fn serialize_struct(self, _: Name, _: usize) -> Result<Self> {
        Ok(self)
    }

    fn serialize_struct_variant(self, _: Name, index: u32, _: Name, _: usize) -> Result<Self> {
        self.byte(index)
    }
}

impl ser::SerializeSeq for &mut Writer {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<()> {
        element.serialize(self.byte(1)?)
    }

    fn end(self) -> Result<()> {
        self.byte(0).map(drop)
    }
}

/// A value of a known number of parts. They follow each other.
macro_rules! write_parts {
    ($($parts:ident $write:ident $($name:ty)?,)*) => {$(
        impl ser::$parts for &mut Writer {
            type Ok = ();
            type Error = Error;

            fn $write<T: Serialize + ?Sized>(
                &mut self, $(_: $name,)? part: &T,
            ) -> Result<()> {
                part.serialize(&mut **self)
            }

            fn end(self) -> Result<()> {
                Ok(())
            }
        }
    )*};
}

write_parts! {
    SerializeTuple serialize_element, SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field, SerializeStruct serialize_field Name,
    SerializeStructVariant serialize_field Name,
}
