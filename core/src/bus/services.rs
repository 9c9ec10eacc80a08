//! What handlers may ask, one value for each type of aggregate.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;

use crate::aggregate::Aggregate;
use crate::saga::Saga;

#[derive(Default)]
pub(crate) struct Services(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl Services {
    pub(super) fn insert<A: Aggregate>(&mut self, services: Arc<A::Services>) {
        self.insert_for(TypeId::of::<A>(), services);
    }

    pub(crate) fn insert_for(&mut self, of: TypeId, services: Arc<dyn Any + Send + Sync>) {
        self.0.insert(of, services);
    }

    /// The services of an aggregate; one whose services are `()` needs none given.
    pub(super) fn get<A: Aggregate>(&self) -> Option<Arc<A::Services>> {
        self.of(TypeId::of::<A>())
    }

    /// The same of whatever has services.
    pub(crate) fn of<S: Send + Sync + 'static>(&self, of: TypeId) -> Option<Arc<S>> {
        if let Some(given) = self.0.get(&of) {
            return given.clone().downcast().ok();
        }
        let nothing: Arc<dyn Any + Send + Sync> = Arc::new(());
        nothing.downcast().ok()
    }

    /// The services of a saga: those that were given for it, or else those of their type.
    pub(crate) fn of_saga<S: Saga>(&self) -> Option<Arc<S::Services>> {
        let services = TypeId::of::<S::Services>();
        let key =
            if self.0.contains_key(&TypeId::of::<S>()) { TypeId::of::<S>() } else { services };
        self.of(key)
    }
}

pub(super) fn are_given<A: Aggregate>(services: &Services) -> bool {
    services.get::<A>().is_some()
}
