//! One look over a message before anything is made of it: how deep it goes, and whether two members have one name.
//! A parser that takes the first of two and one that takes the last would see different messages.

use super::RpcError;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::{collections::HashSet, fmt};

/// How deep a message may go.
pub(super) const DEPTH_MAX: u32 = 64;
/// Members of one object beyond which their names are compared by a set.
const FEW: usize = 16;

const TOO_DEEP: &str = "it is more than 64 levels deep";
const TWICE: &str = "two members have one name";
const RESERVED: &str = "a member has a name that is not let through";
/// SECURITY: members of such names are read as what they hold, so that who decides would see another document than who
/// is sent it.
const RESERVED_PREFIX: &str = "$serde_json::private::";

/// Looks over `text`.
pub(super) fn scan(text: &str) -> Result<(), RpcError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let found = Level(0).deserialize(&mut reader).and_then(|()| reader.end());
    found.map_err(|error| {
        let said = error.to_string();
        match [TOO_DEEP, TWICE, RESERVED].into_iter().find(|known| said.starts_with(known)) {
            Some(why) => RpcError::invalid_request(format!("the message is refused: {why}")),
            None => RpcError::parse(format!("the message is no JSON: {said}")),
        }
    })
}

struct Level(u32);

impl<'de> DeserializeSeed<'de> for Level {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Level {
    fn below<E: Error>(&self) -> Result<Self, E> {
        if self.0 >= DEPTH_MAX { Err(E::custom(TOO_DEEP)) } else { Ok(Self(self.0 + 1)) }
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.below::<A::Error>()?;
        while items.next_element_seed(Self(self.0 + 1))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.below::<A::Error>()?;
        let mut few: Vec<String> = Vec::new();
        let mut many: HashSet<String> = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if name.starts_with(RESERVED_PREFIX) {
                return Err(A::Error::custom(RESERVED));
            }
            let again = if few.len() < FEW {
                let again = few.contains(&name);
                few.push(name);
                again
            } else {
                few.contains(&name) || !many.insert(name)
            };
            if again {
                return Err(A::Error::custom(TWICE));
            }
            members.next_value_seed(Self(self.0 + 1))?;
        }
        Ok(())
    }
}
