"""Words that exclude one another: opposites, and members of one kind such as months, nations, or relatives.

"Who is the mother of ..." shares every other word with "the father of ...", so overlap and cosine both miss the
difference. English only, and only the words listed here; elsewhere nothing is found and nothing is held against a
question.
"""

from __future__ import annotations

from collections.abc import Set

from ragstead.answering.terms import stem

_PAIRS = """
abnormal:normal abolish:found,introduce,restore above:below absence:presence absent:present absolute:relative
abstract:concrete abundant:scarce accelerate:decelerate,slow accept:deny,refuse,reject
accidental:deliberate,intentional acquire:lose activate:inhibit active:inactive,passive add:deduct,remove,subtract
admire:despise admit:deny adopt:reject,repeal adult:child,juvenile,minor advance:retreat,withdraw advanced:backward
advantage:disadvantage affluence:poverty after:before agree:disagree,oppose,refuse aid:hamper,hinder alien:native
alive:dead,extinct allied:opposed allow:ban,disallow,forbid,prevent,prohibit,restrict ally:enemy,foe
amateur:professional ancestor:descendant ancient:modern,recent antagonist:protagonist antisocial:social
antisymmetric:symmetric apart:together appear:disappear,vanish applied:pure appoint:dismiss appointed:resign
approve:condemn,disapprove,oppose,reject,veto approximate:exact aquatic:terrestrial arrival:departure
arrive:depart,leave artificial:natural,organic artistic:scientific ascend:descend ascent:descent
assemble:disassemble,disband asset:liability assist:hinder asymmetric:symmetric asymmetrical:symmetrical
atheist:religious attach:detach attack:defend,retreat attract:repel automatic:manual available:unavailable
backward:forward bad:good bankrupt:solvent barren:fertile beautiful:ugly before:later begin:conclude,end,finish,stop
beneficial:detrimental,harmful benefit:cost,harm best:worst better:worse biased:neutral big:small biggest:smallest
birth:death blame:praise bless:curse blunt:sharp boil:freeze boom:recession born:die borrow:lend bottom:top,upper
bought:sell bound:unbound brave:cowardly break:repair bright:dark,dim,dull broad:narrow
build:demolish,destroy,dismantle bumpy:smooth buy:sell calm:stormy capture:release careful:careless cause:prevent
cease:continue,start ceiling:floor celebrate:mourn central:peripheral centralized:decentralized
certain:doubtful,uncertain change:remain chaos:order charged:neutral cheap:expensive child:parent civil:military
civilian:military,soldier clean:dirty clear:unclear,vague clockwise:counterclockwise close:far,open closed:open
coastal:inland cold:hot,warm collective:individual combine:separate,split combined:separate comedy:tragedy
common:elite,noble,rare,uncommon,unique,unusual commoner:nobility,royal compete:cooperate complete:partial
complex:simple complicate:simplify complicated:simple compress:expand compulsory:optional,voluntary concave:convex
conceal:reveal confirm:deny connect:disconnect,separate conquer:surrender conscious:unconscious
conservative:liberal,progressive,radical conserve:waste constant:occasional,variable,varying
constitutional:unconstitutional construct:demolish construction:destruction consume:produce
continue:discontinue,halt,stop contract:expand convergent:divergent cool:warm covert:overt create:destroy
creation:destruction credit:debt criminal:victim criticize:praise crowded:empty cruel:kind cure:infect
current:former damage:repair dangerous:safe dark:light day:night dead:living death:life decline:grow,increase,rise
decrease:gain,grow,increase,rise deep:shallow defeat:victory,win defensive:offensive deficit:excess,surplus
definite:indefinite defy:obey delayed:immediate demand:supply demote:promote denominator:numerator
dependent:independent deposit:withdraw,withdrawal depression:prosperity depth:surface destroy:preserve
deterministic:nondeterministic die:live,survive different:equal,identical,same,similar difficult:easy diligent:lazy
diminish:enhance,grow,increase direct:indirect disable:enable discard:keep,retain discourage:encourage,promote
disloyal:loyal dismiss:employ,hire disobey:obey disorder:order disprove:prove dissatisfied:satisfied
dissimilar:similar dissuade:persuade distinct:identical distrust:trust diverse:uniform divest:invest
divide:multiply,unite divided:unanimous division:union divorced:married domestic:foreign,international,wild
dominant:recessive,subordinate donate:receive donor:recipient double:halve,single doubt:faith downstream:upstream
drunk:sober dry:wet dull:sharp dwarf:giant dynamic:static eager:reluctant earlier:later earliest:latest early:late
earn:spend east:west eastern:western easy:hard efficient:inefficient elastic:inelastic elderly:young elite:ordinary
embargo:trade emigrant:immigrant emigrate:immigrate emigration:immigration employ:fire empty:full enact:repeal
end:start endanger:protect endothermic:exothermic enemy:friend energetic:lethargic enhance:inhibit,reduce
enlarge:reduce,shrink enslave:free,liberate enter:exit,leave enthusiastic:indifferent entrance:exit equal:unequal
even:odd eventual:immediate excess:shortage exclude:include exclusive:inclusive,shared exhale:inhale
expand:reduce,shrink expenditure:income expense:income experimental:theoretical explicit:implicit exponential:linear
export:import expose:protect extend:restrict,shorten,shrink exterior:interior external:internal extinct:living
extinguish:ignite extraordinary:ordinary extreme:mild,moderate fact:fiction fail:pass,succeed failure:success
fair:unfair fake:genuine fall:increase,rise false:true familiar:strange,unfamiliar famous:obscure,unknown
fancy:plain far:near fast:slow faster:slower fastest:slowest fat:thin female:male fertile:infertile few:many,most
fewer:more fewest:most fiction:nonfiction fictional:real figurative:literal final:first,initial finish:start
finite:infinite fire:hire first:last,second,third fixed:flexible,variable flexible:rigid float:sink foe:friend
follow:lead,precede follower:pioneer foolish:wise forbid:permit foreign:local,native forget:remember formal:informal
former:latter forward:reverse found:lost free:occupied,slave freedom:slavery freeze:melt
frequent:infrequent,occasional,rare frequently:seldom fresh:salt,stale friendly:hostile full:partial future:past
gain:lose,loss gas:liquid,solid general:specific generous:stingy gentle:rough get:send giant:tiny give:receive,take
global:local gradual:rapid,sudden great:small greater:less,lesser,smaller greatest:least,smallest group:individual
grow:shrink growth:recession guest:host guilt:innocence guilty:innocent half:whole happy:sad,unhappy hard:soft
harm:help harmful:harmless harmless:toxic hate:love health:illness healthy:ill,sick,unhealthy heaven:hell
heavy:light heed:ignore help:hinder heretical:orthodox hero:villain hidden:obvious,visible hide:reveal,show high:low
higher:lower highest:lowest horizontal:vertical huge:small,tiny humble:proud ignorance:knowledge ignore:notice
illegal:legal imaginary:real immature:mature immigrant:native immobile:mobile immoral:moral immune:vulnerable
impatient:patient important:trivial,unimportant impossible:possible impoverished:rich,wealthy impractical:practical
improbable:probable improve:worsen impure:pure include:omit increase:reduce indoor:outdoor inferior:superior
inhibit:promote,stimulate inner:outer input:output insecure:secure insert:remove inside:outside
insufficient:sufficient introduce:remove,withdraw invalid:valid invisible:visible involuntary:voluntary
inward:outward irregular:regular irrelevant:relevant irresponsible:responsible irreversible:reversible
join:leave,separate junior:senior keep:lose kill:protect,save known:unknown landlord:tenant large:little,minor,small
larger:smaller largest:smallest last:start lawful:unlawful learn:teach least:most leave:remain left:right
lengthen:shorten lenient:strict less:more liberate:occupy limited:unlimited linear:nonlinear liquid:solid
literal:metaphorical local:national,remote,universal long:short longer:shorter longest:shortest loose:tight
loosen:tighten lose:recover,retain,win loser:winner loss:profit,victory lost:win loud:quiet,soft lower:raise,upper
loyalist:rebel macroscopic:microscopic major:minor majority:minority mandatory:optional,voluntary marine:terrestrial
married:single,unmarried master:servant,slave max:min maximize:minimize maximum:minimum men:women mental:physical
merge:separate mild:severe mobile:stationary modern:old,traditional  moving:stationary,still
multiple:single mutual:unilateral nadir:zenith naive:sophisticated narrow:wide natural:synthetic near:remote
necessary:sufficient,unnecessary negative:positive new:old newer:older newest:oldest next:previous
nobility:peasant,peasantry noble:peasant noisy:quiet nominal:real nonspecific:specific nontoxic:toxic
nonviolent:violent north:south northern:southern objective:subjective obscure:obvious occasional:regular
occupied:vacant offend:please official:unofficial offline:online often:rarely,seldom old:recent,young older:younger
oldest:youngest opaque:transparent opponent:proponent oppose:support opposite:same optimist:pessimist
optimistic:pessimistic optional:required ordered:random ordinary:special over:under overestimate:underestimate
parallel:perpendicular,sequential pardon:punish part:whole partial:total particular:universal past:present peace:war
peaceful:violent peak:trough penalty:reward permanent:temporary permit:prohibit perpetrator:victim
physical:spiritual plural:singular polite:rude poor:rich,wealthy poorest:richest popular:unpopular
poverty:prosperity,wealth powerful:powerless,weak practical:theoretical precede:succeed predator:prey
predecessor:successor private:public profane:sacred progressive:regressive protected:vulnerable prove:refute
public:secret pull:push punish:reward purchase:sell qualitative:quantitative quick:slow raise:reduce
random:systematic rapid:slow ratify:reject,repeal real:virtual receive:send recover:worsen regret:rejoice
reject:support relax:restrict,tighten relaxed:tense reliable:unreliable religious:secular remove:restore
require:waive resist:submit,surrender,yield retail:wholesale right:wrong rise:sink rough:smooth rural:urban
sacred:secular safe:unsafe save:spend,waste scientific:unscientific secession:union separate:together,unite
serious:trivial short:tall shortage:surplus sick:well significant:trivial sour:sweet split:unite stable:unstable
start:stop strengthen:weaken strong:weak stronger:weaker strongest:weakest subsidy:tax suburban:urban
summer:winter surface:underground suspect:trust tame:wild thick:thin true:untrue uniform:varied useful:useless
valuable:worthless with:without
"""
_KINDS = """
mother father parent son daughter brother sister uncle aunt nephew niece husband wife grandfather grandmother
    child cousin widow;
man woman boy girl;
king queen prince princess emperor empress duke duchess baron count earl lord pope bishop archbishop cardinal;
president chancellor minister governor senator mayor ambassador secretary;
january february march april may june july august september october november december;
monday tuesday wednesday thursday friday saturday sunday;
spring summer autumn fall winter;
morning afternoon evening night noon midnight;
north south east west northeast northwest southeast southwest;
northern southern eastern western central;
red orange yellow green blue purple violet white black brown pink grey gray gold silver;
english british scottish irish welsh french german italian spanish portuguese dutch belgian swiss austrian
    polish russian ukrainian greek turkish swedish norwegian danish finnish czech hungarian romanian bulgarian
    serbian croatian american canadian mexican brazilian argentine chinese japanese korean mongolian vietnamese
    thai indian pakistani persian iranian iraqi arab arabic israeli egyptian syrian african kenyan nigerian
    australian latin hebrew roman byzantine armenian norse;
england britain scotland ireland wales france germany italy spain portugal netherlands holland belgium
    switzerland austria poland russia ukraine greece turkey sweden norway denmark finland hungary romania
    bulgaria america canada mexico brazil argentina china japan korea mongolia vietnam thailand india pakistan
    persia iran iraq arabia israel egypt syria africa kenya nigeria australia europe asia;
london paris berlin rome madrid lisbon amsterdam brussels vienna warsaw moscow athens istanbul constantinople
    stockholm oslo copenhagen dublin edinburgh washington boston chicago beijing tokyo delhi cairo jerusalem;
catholic protestant lutheran calvinist anglican methodist baptist orthodox muslim islamic jewish hindu buddhist
    pagan atheist;
christianity catholicism protestantism islam judaism hinduism buddhism;
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion
    trillion;
first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth
    fifteenth sixteenth seventeenth eighteenth nineteenth twentieth last;
once twice thrice;
half third quarter;
single double triple quadruple dual;
second minute hour day week month year decade century millennium;
millimeter centimeter meter kilometer inch foot yard mile;
gram kilogram ton pound ounce;
celsius fahrenheit kelvin;
gas liquid solid plasma;
hydrogen oxygen nitrogen carbon helium iron copper zinc gold silver lead tin aluminium sodium calcium sulfur;
oil coal gas wood steam electricity nuclear solar wind water;
army navy marine airforce;
war peace truce;
physics chemistry biology mathematics astronomy geology economics philosophy medicine law history;
physicist chemist biologist mathematician astronomer geologist economist philosopher historian physician
    engineer poet;
teacher student professor pupil;
doctor nurse patient;
buyer seller customer vendor supplier;
employer employee worker manager owner tenant landlord;
lender borrower;
attacker defender;
plaintiff defendant prosecutor;
cat dog horse cow sheep pig goat bird fish insect;
plant animal fungus bacteria virus;
heart liver lung kidney brain stomach skin bone muscle blood;
river lake sea ocean island mountain valley desert forest;
train car bus truck ship boat plane aircraft bicycle ferry tram;
football basketball baseball hockey tennis cricket rugby golf;
offense defense;
gold silver bronze;
piano violin guitar drum flute trumpet;
novel poem play film song opera symphony;
primary secondary tertiary;
elementary secondary undergraduate graduate;
kindergarten college university;
executive legislative judicial judiciary;
local regional state federal national international global;
town village city county province country continent;
democracy monarchy dictatorship republic empire;
democrat republican;
socialist capitalist communist fascist liberal conservative;
capitalism socialism communism feudalism;
proton electron neutron photon;
acid base;
noun verb adjective adverb;
addition subtraction multiplication division;
euro dollar pound yen franc;
best worst average;
minimum maximum average median;
ancient medieval modern;
past present future;
daily weekly monthly yearly annual;
"""
_PREFIXES = ("un", "in", "im", "ir", "il", "non", "dis", "anti", "mis", "de")


def _opposites() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for entry in _PAIRS.split():
        word, others = entry.split(":")
        for other in others.split(","):
            found.setdefault(stem(word), set()).add(stem(other))
            found.setdefault(stem(other), set()).add(stem(word))
    return {word: frozenset(others) for word, others in found.items()}


def _rivals() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for kind in _KINDS.split(";"):
        words = {stem(word) for word in kind.split()}
        for word in words:
            found.setdefault(word, set()).update(words - {word})
    return {word: frozenset(others) for word, others in found.items()}


OPPOSITES = _opposites()
"""Stems by the stem that they are opposed to, in both directions."""
RIVALS = _rivals()
"""Stems of the same kind by stem: at most one of them is meant at a time."""


def opposed(question: Set[str], evidence: Set[str]) -> int:
    """Number of the question's stems that the evidence lacks while it holds an opposite of theirs.

    Opposites are those of `OPPOSITES` and a word with a negating prefix beside the same word without it.
    """
    return sum(1 for word in question - evidence if not _opposites_of(word).isdisjoint(evidence))


def rivalled(question: Set[str], evidence: Set[str]) -> int:
    """Number of the question's stems that the evidence lacks while it holds a rival that is not asked for."""
    others = evidence - question
    return sum(1 for word in question - evidence if word in RIVALS and not RIVALS[word].isdisjoint(others))


def _opposites_of(word: str) -> Set[str]:
    bare = {word[len(prefix) :] for prefix in _PREFIXES if word.startswith(prefix) and len(word) > len(prefix) + 3}
    return bare | {prefix + word for prefix in _PREFIXES} | OPPOSITES.get(word, frozenset())
