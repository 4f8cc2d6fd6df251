"""What small networks add: their hosts are told of all pods in advance.

In a small VPC, asking saves little: NCM tells each host with a pod of the VPC about all its other pods, and the agent sends to them
without asking. In a large VPC NCM does not, and the promises of the on-demand protocol hold. DPM decides whether a VPC is small, in
*classes* that are numbered like versions; before the first class, a VPC is large.

The promise that a host learns only on demand is therefore weaker here: a host learns a remote pod if it asked, if it is or was its
home, or if it was told while the VPC was small. A second promise covers large VPCs: while a VPC is large, NCM starts telling only
the home of a pod and hosts that ask for it. NCM keeps sending newer versions to a host that it told while the VPC was small, until
the agent restarts, because the host may be sending to the pod.
"""

from __future__ import annotations

from model.language import (
    Step,
    action,
    always,
    definition,
    eventually,
    function,
    leads_to,
    lemma,
    message,
    relation,
    sometimes,
    two_state,
    variant,
    weaker_lemma,
)
from model.language.claims import LeadsTo
from model.language.quantifiers import exists
from model.language.terms import Formula, Number, implies
from spec.on_demand.aca import learn
from spec.on_demand.definitions import home, local, placed, route_state, same_vpc
from spec.on_demand.lemmas import routes_are_of_met_epochs, the_told_asked_or_housed
from spec.on_demand.promises import learns_only_on_demand, stale_means_coming, stays_in_its_vpc
from spec.on_demand.vocabulary import (
    ACA,
    DPM,
    NCM,
    Epoch,
    Host,
    Pod,
    Request,
    Route,
    Version,
    Vpc,
    asked,
    at,
    correct,
    epoch,
    granted,
    greeted,
    housed,
    installed,
    known,
    member,
    recorded,
    removed,
    route,
    told,
    vpc_of,
)

_epoch_of = epoch  # an alias, since claims have a parameter called epoch
NEVER = Epoch.of(0)


class Class(Number):
    """Counts the decisions whether a VPC is small; 0 is before the first."""


newest_class = function(Vpc, to=Class, doc="The newest class that DPM gave the VPC.", holder=DPM)
counts_as_small = relation(Vpc, Class, doc="The VPC is small in this class.", holder=DPM)
recorded_class = function(Vpc, to=Class, doc="The newest class of the VPC that NCM has stored.", holder=NCM)
told_in_advance = relation(
    Host, Epoch, Pod, doc="The host was told of the pod while the VPC was small.", kind="history"
)


@message(sender=DPM, receiver=NCM)
def classified(vpc: Vpc, class_: Class) -> Formula:
    """The VPC has this class. Spent when NCM has stored it or a newer one."""
    return class_ <= recorded_class(vpc)


@definition
def small(vpc: Vpc) -> Formula:
    """NCM's record says that the VPC is small."""
    return counts_as_small(vpc, recorded_class(vpc))


@definition
def neighbor(host: Host, pod: Pod) -> Formula:
    """The pod has a place, and the host houses a pod of its VPC."""
    return placed(pod, recorded(pod)) & exists(Pod, lambda own: home(host, own) & same_vpc(own, pod))


# ------------------------------------------------------------------------------------------------------- actions


@action(by=DPM)
def becomes_small(vpc: Vpc) -> Step:
    """The VPC becomes small."""
    class_ = newest_class(vpc) + 1
    return Step(
        then=[
            newest_class.assign(vpc, to=class_),
            counts_as_small.add(vpc, class_),
            classified.send(vpc, class_),
        ]
    )


@action(by=DPM)
def becomes_large(vpc: Vpc) -> Step:
    """The VPC becomes large."""
    class_ = newest_class(vpc) + 1
    return Step(then=[newest_class.assign(vpc, to=class_), classified.send(vpc, class_)])


@action(by=NCM, fair=True)
def reclassify(vpc: Vpc, class_: Class) -> Step:
    """NCM stores a newer class."""
    return Step(
        takes=[classified(vpc, class_)],
        when=[recorded_class(vpc) < class_],
        then=[recorded_class.assign(vpc, to=class_)],
    )


@action(by=NCM, fair=True)
def tell_in_advance(host: Host, pod: Pod) -> Step:
    """In a small VPC, NCM tells a host with one of its pods of another pod, and from then on sends it every newer version."""
    return Step(
        when=[
            small(vpc_of(pod)),
            neighbor(host, pod),
            ~told(host, pod),
            ~removed(host),
            greeted(host) > NEVER,
        ],
        then=[
            told.add(host, pod),
            route.send(host, greeted(host), pod, recorded(pod)),
            told_in_advance.add(host, greeted(host), pod),
        ],
    )


@action(by=ACA)
def use_neighbor(host: Host, pod: Pod) -> Step:
    """An agent installs the route to a pod that it was told of, without asking: NCM sends it every newer version."""
    return Step(
        when=[
            correct(host),
            ~installed(host, pod),
            ~local(host, pod),
            placed(pod, known(host, pod)),
            exists(Pod, lambda own: local(host, own) & same_vpc(own, pod)),
        ],
        then=[installed.add(host, pod)],
        moves=[route_state.move(host, pod, source=[Route.asking, Route.evicted, Route.refused], to=[Route.installed])],
    )


# ------------------------------------------------------------------------------------------------------ promises


@sometimes
def a_neighbor_is_known_without_asking(host: Host, pod: Pod) -> Formula:
    """An agent has a route to a remote pod for which it did not ask in its epoch."""
    return installed(host, pod) & ~local(host, pod) & ~asked(host, epoch(host), pod)


@sometimes
def a_network_has_grown_large(host: Host, pod: Pod) -> Formula:
    """A VPC was small and is large again; a host was told in advance and knows a version of the pod after its first."""
    grown = (Class.of(1) < recorded_class(vpc_of(pod))) & ~small(vpc_of(pod))
    return grown & told_in_advance(host, epoch(host), pod) & (Version.of(1) < known(host, pod))


@always(a_neighbor_is_known_without_asking, a_network_has_grown_large, weakens=learns_only_on_demand)
def learns_on_demand_or_in_advance(host: Host, epoch: Epoch, asked_by: Request, pod: Pod, version: Version) -> Formula:
    """A host is sent a pod, or knows it, only if it asked, is or was its home, or was told while the VPC was small.

    The first part covers all hosts; the second covers correct ones, since a Byzantine agent may know anything.
    """
    may = asked(host, epoch, pod) | housed(host, pod) | told_in_advance(host, epoch, pod)
    now = asked(host, _epoch_of(host), pod) | housed(host, pod) | told_in_advance(host, _epoch_of(host), pod)
    said = route.unspent(host, epoch, pod, version) | granted.unspent(host, epoch, asked_by, pod, version)
    sent = implies(said, may)
    knows = implies(correct(host) & (known(host, pod) > Version.of(0)), now)
    return sent & knows


@two_state(a_network_has_grown_large)
def on_demand_while_large(host: Host, pod: Pod) -> Formula:
    """While a VPC is large, NCM starts telling a host of a pod only if the host is its home or asked for it in this epoch."""
    begins = told.after(host, pod) & ~told(host, pod) & ~small(vpc_of(pod))
    return implies(begins, at(pod, recorded.after(pod), host) | asked(host, greeted.after(host), pod))


@two_state(a_network_has_grown_large)
def newer_classes_win(vpc: Vpc) -> Formula:
    """NCM's record of a VPC's class never decreases, and is one that DPM issued."""
    return (recorded_class(vpc) <= recorded_class.after(vpc)) & (recorded_class(vpc) <= newest_class(vpc))


@eventually(a_neighbor_is_known_without_asking)
def neighbors_are_told(host: Host, pod: Pod) -> LeadsTo:
    """A host in a small VPC is told of every pod of it, unless the VPC grows, the pod is gone, or the host leaves or has no pod."""
    there = small(vpc_of(pod)) & neighbor(host, pod) & ~removed(host) & (greeted(host) > NEVER)
    return leads_to(there, told(host, pod) | ~there)


@eventually(a_network_has_grown_large)
def classes_are_recorded(vpc: Vpc, class_: Class) -> LeadsTo:
    """NCM eventually stores every class that DPM gives a VPC, or a newer one."""
    return leads_to(newest_class(vpc) == class_, class_ <= recorded_class(vpc))


@weaker_lemma(the_told_asked_or_housed)
def the_told_asked_or_housed_or_were_told_in_advance(host: Host, pod: Pod) -> Formula:
    """NCM tells a host of a pod if it asked for it, houses or housed it, or was told in advance, and only in its VPC."""
    entitled = housed(host, pod) | asked(host, greeted(host), pod) | told_in_advance(host, greeted(host), pod)
    return implies(told(host, pod), entitled & member(host, vpc_of(pod)))


@weaker_lemma(routes_are_of_met_epochs)
def routes_are_of_met_epochs_or_in_advance(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Formula:
    """NCM sends recorded versions only, to met epochs, of pods that it told the host of."""
    entitled = asked(host, epoch, pod) | housed(host, pod) | told_in_advance(host, epoch, pod)
    return implies(
        route(host, epoch, pod, version),
        (NEVER < epoch)
        & (epoch <= greeted(host))
        & (Version.of(0) < version)
        & (version <= recorded(pod))
        & member(host, vpc_of(pod))
        & entitled
        & implies(epoch == greeted(host), told(host, pod) | removed(host)),
    )


@lemma
def only_given_classes_are_sent(vpc: Vpc, class_: Class) -> Formula:
    """DPM sends only classes that it issued, and NCM stores no others."""
    return implies(classified(vpc, class_), class_ <= newest_class(vpc)) & (recorded_class(vpc) <= newest_class(vpc))


# ------------------------------------------------------------------------------------------------------ variants


@variant(replaces=tell_in_advance, breaks=[on_demand_while_large])
def tells_in_advance_in_large_networks(host: Host, pod: Pod) -> Step:
    """Hosts are told of all pods of their VPC, however large it is."""
    return tell_in_advance.but(without=[small(vpc_of(pod))])


@variant(replaces=tell_in_advance, breaks=[stays_in_its_vpc])
def tells_strangers_in_advance(host: Host, pod: Pod) -> Step:
    """Hosts without a pod of the VPC are told of its pods."""
    return tell_in_advance.but(without=[neighbor(host, pod)], when=[placed(pod, recorded(pod))])


@variant(replaces=tell_in_advance, breaks=[stale_means_coming])
def tells_in_advance_and_forgets(host: Host, pod: Pod) -> Step:
    """A host that was told in advance is not sent newer versions."""
    return tell_in_advance.but(without=[told])


@variant(replaces=tell_in_advance, breaks=[learns_on_demand_or_in_advance])
def tells_another_pod_in_advance(host: Host, pod: Pod, other: Pod) -> Step:
    """A host is told in advance of the wrong pod."""
    return tell_in_advance.but(
        without=[route],
        when=[placed(other, recorded(other))],
        then=[route.send(host, greeted(host), other, recorded(other))],
    )


@variant(replaces=learn, breaks=[learns_on_demand_or_in_advance])
def takes_it_for_news_of_another(host: Host, epoch: Epoch, pod: Pod, version: Version, other: Pod) -> Step:
    """An agent that is sent a version of one pod takes it for a version of another."""
    return learn.but(then=[known.assign(host, other, to=version)])


@variant(replaces=reclassify, breaks=[newer_classes_win])
def an_older_class_overwrites_a_newer(vpc: Vpc, class_: Class) -> Step:
    """The last class to arrive wins, even if it is older."""
    return reclassify.but(without=[recorded_class(vpc) < class_])


@variant(replaces=tell_in_advance, breaks=[neighbors_are_told])
def tells_nobody_in_advance(host: Host, pod: Pod) -> Step:
    """No host is told in advance: a small VPC is treated like a large one."""
    return tell_in_advance.but(without=[told, route])


@variant(replaces=reclassify, breaks=[classes_are_recorded])
def stores_the_first_class_only(vpc: Vpc, class_: Class) -> Step:
    """A VPC stays as large or as small as it was first."""
    return reclassify.but(when=[recorded_class(vpc) == Class.of(0)])
