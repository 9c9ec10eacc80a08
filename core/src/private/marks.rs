//! What the marks on an event's fields do to the stored JSON, step by step.

use std::convert::Infallible;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::upcast::{BEYOND, StepError, UpcastError};

/// Takes a step by the user's function.
///
/// # Errors
///
/// As the function.
pub fn lift<F: JsonStep<M>, M>(step: F, json: Value) -> Result<Value, UpcastError>
where
    F::Error: StepError,
{
    step.take(json).map_err(StepError::into_upcast_error)
}

/// A function from JSON to JSON. `M` tells the impls apart.
#[diagnostic::on_unimplemented(
    message = "the function does not lead from JSON to JSON",
    label = "not a function from JSON to JSON",
    note = "write `fn(serde_json::Value) -> Result<serde_json::Value, UpcastError>`, or `-> serde_json::Value` if it cannot fail"
)]
pub trait JsonStep<M> {
    /// What it may fail with. What it must be, is asked where the function is taken: only there the compiler names it.
    type Error;

    /// Takes the step.
    ///
    /// # Errors
    ///
    /// When the JSON is not what the function takes.
    fn take(self, json: Value) -> Result<Value, Self::Error>;
}

impl<E, F: FnOnce(Value) -> Result<Value, E>> JsonStep<Unsure<Value, Value, E>> for F {
    type Error = E;

    fn take(self, json: Value) -> Result<Value, E> {
        self(json)
    }
}

impl<F: FnOnce(Value) -> Value> JsonStep<Sure<Value, Value>> for F {
    type Error = Infallible;

    fn take(self, json: Value) -> Result<Value, Infallible> {
        Ok(self(json))
    }
}

/// The fields of a stored event, while one step changes them.
#[derive(Debug)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Takes the fields of a JSON object.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn of(json: Value) -> Result<Self, UpcastError> {
        match json {
            Value::Object(fields) => Ok(Self(fields)),
            _ => Err(UpcastError::new("it is not a JSON object")),
        }
    }

    /// Gives the JSON object back.
    pub fn into_json(self) -> Value {
        Value::Object(self.0)
    }

    /// Leaves a field out.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Gives fields other names, all at once: two may swap theirs. Of several names of one field, the first counts.
    pub fn rename(&mut self, names: &[(&str, &str)]) {
        let taken: Vec<_> = names.iter().map(|(old, _)| self.0.remove(*old)).collect();
        for ((_, new), value) in names.iter().zip(taken).rev() {
            if let Some(value) = value {
                self.0.insert((*new).to_owned(), value);
            }
        }
    }

    /// Gives a field that is there under an alias its own name. Where it is there already, serde refuses the alias.
    pub fn resolve(&mut self, name: &str, aliases: &[&str]) {
        if !self.0.contains_key(name)
            && let Some(value) = aliases.iter().find_map(|alias| self.0.remove(*alias))
        {
            self.0.insert(name.to_owned(), value);
        }
    }

    /// Converts a field to the type `T` that it has today, if it is there.
    ///
    /// # Errors
    ///
    /// When it cannot be converted. The error names the field.
    pub fn convert<T, F: Converter<T, M>, M>(
        &mut self,
        name: &str,
        convert: F,
    ) -> Result<(), UpcastError>
    where
        F::Error: StepError,
    {
        self.replace(name, |old| flat(convert.convert(old)))
    }

    /// Converts a field to a type that it had for a while, if it is there.
    ///
    /// # Errors
    ///
    /// When it cannot be converted. The error names the field.
    pub fn reshape<F: Reshaper<M>, M>(&mut self, name: &str, convert: F) -> Result<(), UpcastError>
    where
        F::Error: StepError,
    {
        self.replace(name, |old| flat(convert.convert(old)))
    }

    /// Converts the JSON of a field that serde writes otherwise than its type does, if it is there.
    ///
    /// # Errors
    ///
    /// When it cannot be converted. The error names the field.
    pub fn convert_json<F: JsonStep<M>, M>(
        &mut self,
        name: &str,
        convert: F,
    ) -> Result<(), UpcastError>
    where
        F::Error: StepError,
    {
        self.replace(name, |old| lift(convert, old))
    }

    fn replace(
        &mut self,
        name: &str,
        convert: impl FnOnce(Value) -> Result<Value, UpcastError>,
    ) -> Result<(), UpcastError> {
        if let Some(field) = self.0.get_mut(name) {
            *field = convert(field.take())
                .map_err(|error| UpcastError::new(format_args!("field `{name}`: {error}")))?;
        }
        Ok(())
    }

    /// Adds a field that is null, unless it is there.
    pub fn add_null(&mut self, name: &str) {
        self.0.entry(name).or_insert(Value::Null);
    }

    /// Adds a field, unless it is there.
    ///
    /// # Errors
    ///
    /// When the default cannot be written. The error names the field.
    pub fn add<T: Serialize>(
        &mut self,
        name: &str,
        default: impl FnOnce() -> T,
    ) -> Result<(), UpcastError> {
        if !self.0.contains_key(name) {
            let value = write(default())
                .map_err(|error| UpcastError::new(format_args!("field `{name}`: {error}")))?;
            self.0.insert(name.to_owned(), value);
        }
        Ok(())
    }
}

/// The default of a field of the type `T`.
pub fn default_of<T, D: Default<T, M>, M>(default: D) -> T {
    default.give()
}

/// What can be written as the default of a field of the type `T`. `M` tells the impls apart.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no default for a field of the type `{T}`",
    label = "neither a `{T}` nor a function that returns one",
    note = "a default is a value of the field's type, a string that becomes one by `From<&str>`, or the path to a constant or a function without parameters"
)]
pub trait Default<T, M> {
    /// Gives the default.
    fn give(self) -> T;
}

/// A value, as it is.
#[derive(Debug)]
pub enum AsItIs {}

impl<T> Default<T, AsItIs> for T {
    fn give(self) -> T {
        self
    }
}

/// A function to call.
#[derive(Debug)]
pub enum Called {}

impl<T, F: FnOnce() -> T> Default<T, Called> for F {
    fn give(self) -> T {
        self()
    }
}

/// A string to convert.
#[derive(Debug)]
pub enum FromText {}

impl<T: From<&'static str>> Default<T, FromText> for &'static str {
    fn give(self) -> T {
        T::from(self)
    }
}

/// The default of a field that had another type then.
pub fn any_default<D: AnyDefault<M>, M>(default: D) -> D::Value {
    default.give()
}

/// What can be written as the default of a field whose type of then nobody knows any more.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no default",
    label = "neither a value that serde writes nor a function that returns one",
    note = "a default of a field that is converted later is what it was then: a value that implements `Serialize`, or the path to a constant or a function without parameters"
)]
pub trait AnyDefault<M> {
    /// The type of the default.
    type Value: Serialize;

    /// Gives the default.
    fn give(self) -> Self::Value;
}

impl<T: Serialize> AnyDefault<AsItIs> for T {
    type Value = T;

    fn give(self) -> T {
        self
    }
}

impl<T: Serialize, F: FnOnce() -> T> AnyDefault<Called> for F {
    type Value = T;

    fn give(self) -> T {
        self()
    }
}

/// What converts a stored field to the type `T`. `M` tells the impls apart.
#[diagnostic::on_unimplemented(
    message = "`convert_with` names no function that converts to `{T}`",
    label = "not a function to `{T}`",
    note = "write `fn(Old) -> {T}`, `fn(Old) -> Result<{T}, E>` with any error, or `fn(serde_json::Value) -> Result<serde_json::Value, UpcastError>`"
)]
pub trait Converter<T, M> {
    /// What the function may fail with.
    type Error;

    /// Converts the JSON of the field.
    ///
    /// # Errors
    ///
    /// When it is not what the function takes; inside, when the function refuses it.
    fn convert(self, old: Value) -> Converted<Self::Error>;
}

/// What became of a field: not what the function takes, or what the function made of it.
pub type Converted<E> = Result<Result<Value, E>, UpcastError>;

fn flat<E: StepError>(converted: Converted<E>) -> Result<Value, UpcastError> {
    converted?.map_err(StepError::into_upcast_error)
}

/// From JSON to JSON.
#[derive(Debug)]
pub enum OfJson {}

impl<T, F: FnOnce(Value) -> Result<Value, UpcastError>> Converter<T, OfJson> for F {
    type Error = UpcastError;

    fn convert(self, old: Value) -> Converted<UpcastError> {
        Ok(self(old))
    }
}

impl<T, Old, F> Converter<T, fn(Old) -> T> for F
where
    T: Serialize,
    Old: DeserializeOwned,
    F: FnOnce(Old) -> T,
{
    type Error = Infallible;

    fn convert(self, old: Value) -> Converted<Infallible> {
        write(self(read(old)?)).map(Ok)
    }
}

impl<T, Old, E, F> Converter<T, fn(Old) -> Result<T, E>> for F
where
    T: Serialize,
    Old: DeserializeOwned,
    F: FnOnce(Old) -> Result<T, E>,
{
    type Error = E;

    fn convert(self, old: Value) -> Converted<E> {
        written(self(read(old)?))
    }
}

/// What converts a stored field to a type that nobody knows any more.
#[diagnostic::on_unimplemented(
    message = "`convert_with` names no function that converts a field",
    label = "not such a function",
    note = "write `fn(Old) -> New`, or `fn(Old) -> Result<New, E>` with any error; `Old` and `New` may be `serde_json::Value`"
)]
pub trait Reshaper<M> {
    /// What the function may fail with.
    type Error;

    /// Converts the JSON of the field.
    ///
    /// # Errors
    ///
    /// When it is not what the function takes; inside, when the function refuses it.
    fn convert(self, old: Value) -> Converted<Self::Error>;
}

/// A function that cannot fail.
#[derive(Debug)]
pub struct Sure<Old, New>(PhantomData<fn(Old) -> New>);

/// A function that may fail.
#[derive(Debug)]
pub struct Unsure<Old, New, E>(PhantomData<fn(Old) -> Result<New, E>>);

impl<Old: DeserializeOwned, New: Serialize, F: FnOnce(Old) -> New> Reshaper<Sure<Old, New>> for F {
    type Error = Infallible;

    fn convert(self, old: Value) -> Converted<Infallible> {
        write(self(read(old)?)).map(Ok)
    }
}

impl<Old, New, E, F> Reshaper<Unsure<Old, New, E>> for F
where
    Old: DeserializeOwned,
    New: Serialize,
    F: FnOnce(Old) -> Result<New, E>,
{
    type Error = E;

    fn convert(self, old: Value) -> Converted<E> {
        written(self(read(old)?))
    }
}

fn read<T: DeserializeOwned>(json: Value) -> Result<T, UpcastError> {
    serde_json::from_value(json).map_err(UpcastError::new)
}

fn write<T: Serialize>(value: T) -> Result<Value, UpcastError> {
    serde_json::to_value(value).map_err(|error| match error.to_string() {
        // serde_json tells it by its message only.
        text if text == "number out of range" => {
            UpcastError::new(format_args!("it becomes an integer {BEYOND}"))
        }
        text => UpcastError::new(text),
    })
}

fn written<T: Serialize, E>(converted: Result<T, E>) -> Converted<E> {
    match converted {
        Ok(value) => write(value).map(Ok),
        Err(refused) => Ok(Err(refused)),
    }
}
