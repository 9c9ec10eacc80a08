//! Who may do and see what, in one place for each bus. HTTP only says who somebody is.

use std::sync::Arc;

use annals::prelude::*;
use annals::{Origin, ToId};

use crate::domain::{CancelOrder, ConfirmOrder, Order, OrderId, PlaceOrder, Restock, ShipOrder};
use crate::queries::{OrdersOf, PageOf, RevenueOf, StockLevels};
use crate::read_models::OrderPage;
use crate::users::{Role, User, Users};

/// Why somebody may not do or see something.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    /// It is there, and not for them.
    #[error("you may not do this")]
    Forbidden,
    /// It is another customer's: whoever asks is told what they would be told if it were not there.
    #[error("there is no such order")]
    Unseen,
    /// The id that a customer wants is of another's order. Ids are chosen by callers and shared by all of them, so that one who
    /// may not have an id learns that it is taken: nothing else, not how far the order is, nor which keys it has seen.
    #[error("an order of this id exists already")]
    Taken,
    /// Staff orders for somebody who is no customer.
    #[error("there is no customer `{0}`")]
    UnknownCustomer(String),
}

/// What a check could not find out, so that nothing is allowed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsure {
    #[error("find out whose order it is")]
    Rows(#[source] ReadModelError),
    #[error("find out whose order it is")]
    Load(#[source] LoadError),
}

/// Decides who may send which command. What processes of the shop send passes; what is not named here does not.
#[derive(Debug, Clone)]
pub(crate) struct CommandAccess {
    users: Arc<Users>,
    orders: Repository<Order>,
}

impl CommandAccess {
    pub(crate) fn new(users: Arc<Users>, stores: impl Into<Stores>) -> Self {
        Self { users, orders: Repository::new(stores) }
    }

    /// Lets a customer change an order that is theirs. One that is not there is refused as another's is: it may be there by
    /// the time at which its handler looks.
    async fn owns(&self, user: &str, id: &str) -> Result<(), Refusal> {
        match self.load(id).await? {
            Some(order) if order.state.customer == user => Ok(()),
            _ => Err(Refusal::because(Denied::Unseen)),
        }
    }

    /// Tells somebody the version of an order that is theirs, or that they may see as staff; `None` if it is not there. The bus
    /// compares versions and keys after this was asked, and what it answers would tell of another's order.
    pub(crate) async fn version_of(&self, user: &User, id: &str) -> Result<Option<u64>, Refusal> {
        match self.load(id).await? {
            Some(order) if user.role == Role::Customer && order.state.customer != user.name => {
                Err(Refusal::because(Denied::Taken))
            }
            order => Ok(order.map(|order| order.stream_version)),
        }
    }

    async fn load(&self, id: &str) -> Result<Option<Loaded<Order>>, Refusal> {
        let order = self.orders.load(id).await;
        order.map_err(|error| Refusal::because(Unsure::Load(error)))
    }
}

#[async_trait]
impl Interceptor for CommandAccess {
    async fn before(&self, call: &mut CommandCall) -> Result<(), Refusal> {
        if *call.origin() != Origin::Caller {
            return Ok(());
        }
        let user = call.metadata().user.as_deref().unwrap_or_default();
        let role = self.users.role_of(user);
        match (role, call.name()) {
            (Some(Role::Staff), PlaceOrder::NAME) => {
                let customer = call.content()["customer"].as_str().unwrap_or_default();
                match self.users.role_of(customer) {
                    Some(Role::Customer) => Ok(()),
                    _ => Err(Refusal::because(Denied::UnknownCustomer(customer.to_owned()))),
                }
            }
            (
                Some(Role::Staff),
                ConfirmOrder::NAME | CancelOrder::NAME | ShipOrder::NAME | Restock::NAME,
            ) => Ok(()),
            (Some(role @ Role::Customer), PlaceOrder::NAME)
                if call.content()["customer"] == user =>
            {
                let user = User { name: user.to_owned(), role };
                self.version_of(&user, call.stream_id().id()).await.map(drop)
            }
            (Some(Role::Customer), ConfirmOrder::NAME | CancelOrder::NAME) => {
                self.owns(user, call.stream_id().id()).await
            }
            _ => Err(Refusal::because(Denied::Forbidden)),
        }
    }
}

/// Decides who may ask which query: customers see their own orders, staff all.
pub(crate) struct QueryAccess {
    users: Arc<Users>,
}

impl QueryAccess {
    pub(crate) const fn new(users: Arc<Users>) -> Self {
        Self { users }
    }
}

/// Lets a customer see the page of an order that is theirs. One that is not there is refused as another's is: it may be there
/// by the time at which its handler looks.
///
/// The rows are those that the handler will read: they wait for what the caller wants to see.
async fn owns_page(call: &QueryCall, user: &str) -> Result<(), Refusal> {
    let order = call.content()["order"].as_str().unwrap_or_default();
    let order: OrderId = order.to_id().map_err(|_| Refusal::because(Denied::Unseen))?;
    let page = call.models().get::<OrderPage>(&order).await;
    match page.map_err(|error| Refusal::because(Unsure::Rows(error)))? {
        Some(page) if page.customer == user => Ok(()),
        _ => Err(Refusal::because(Denied::Unseen)),
    }
}

#[async_trait]
impl QueryInterceptor for QueryAccess {
    async fn before(&self, call: &mut QueryCall) -> Result<(), Refusal> {
        let user = call.user().unwrap_or_default();
        match (self.users.role_of(user), call.name()) {
            (
                Some(Role::Staff),
                PageOf::NAME | OrdersOf::NAME | StockLevels::NAME | RevenueOf::NAME,
            )
            | (Some(Role::Customer), StockLevels::NAME) => Ok(()),
            (Some(Role::Customer), OrdersOf::NAME) if call.content()["customer"] == user => Ok(()),
            (Some(Role::Customer), PageOf::NAME) => owns_page(call, user).await,
            _ => Err(Refusal::because(Denied::Forbidden)),
        }
    }
}
