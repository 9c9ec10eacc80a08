use annals::AggregateId;

#[derive(Debug, Clone, PartialEq, AggregateId)]
struct AccountId<T>(T);

fn main() {}
