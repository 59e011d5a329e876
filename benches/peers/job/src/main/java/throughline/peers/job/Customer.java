package throughline.peers.job;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The state of one customer and the fold over their touchpoints. */
public final class Customer {
    final Decayed moment = new Decayed(Model.MOMENT);
    final Decayed relationship = new Decayed(Model.RELATIONSHIP);
    final Decayed lifetime = new Decayed(Model.LIFETIME);
    /** Sum of weight times squared valence with the landmark of {@link #lifetime}. */
    double lifetimeSquares;
    /** Weights by kind of evidence with the landmark of {@link #relationship}. */
    final double[] mix = new double[Evidence.COUNT];
    /** Valenced touchpoints in the sums. */
    int count;
    /** In the order of the channels. */
    final List<ChannelSum> channels = new ArrayList<>(2);
    /** Strongest reasons among entries that have left the recent list. */
    final List<Entry> folded = new ArrayList<>();
    /** Latest valenced touchpoint among them, milliseconds since 1970. */
    long foldedValencedAt = Long.MIN_VALUE;
    /** Largest time of what was applied, milliseconds since 1970. */
    long asOf;
    /** Version of the last published score, 0 before the first. */
    long version;
    /** Numbers of the last published score. */
    double[] published = new double[8];
    /** Valenced touchpoints in it. */
    int publishedTouchpoints;
    /** Oldest first by received time and id. */
    final ArrayList<Entry> recent = new ArrayList<>();

    /** Applies a touchpoint; false if it was applied before. */
    public boolean apply(Touchpoint touchpoint) {
        for (int at = recent.size() - 1; at >= 0; at--) {
            if (Arrays.equals(recent.get(at).id(), touchpoint.id())) {
                return false;
            }
        }
        Entry entry = Entry.of(touchpoint);
        if (entry.isValenced()) {
            add(entry);
        }
        int at = recent.size();
        while (at > 0 && !entry.isLaterThan(recent.get(at - 1))) {
            at--;
        }
        recent.add(at, entry);
        foldLeaving();
        asOf = Math.max(asOf, entry.occurredAt());
        return true;
    }

    private void add(Entry entry) {
        double v = entry.v();
        double w = entry.w();
        count++;
        moment.add(entry.occurredAt(), v, w);
        double scale = relationship.add(entry.occurredAt(), v, w);
        if (scale != 1.0) {
            for (int kind = 0; kind < mix.length; kind++) {
                mix[kind] *= scale;
            }
        }
        mix[entry.evidence().ordinal()] += w * relationship.factor(entry.occurredAt());
        scale = lifetime.add(entry.occurredAt(), v, w);
        lifetimeSquares = lifetimeSquares * scale + w * v * v * lifetime.factor(entry.occurredAt());
        channel(entry.channel()).sums.add(entry.occurredAt(), v, w);
    }

    /** Extremes cannot be subtracted: they are folded only when an entry leaves the recent list. */
    private void foldLeaving() {
        long oldest = recent.get(recent.size() - 1).receivedAt() - Model.RECENT_WINDOW;
        while (recent.size() > Model.RECENT_MAX || recent.get(0).receivedAt() < oldest) {
            Entry entry = recent.remove(0);
            ChannelSum channel = channel(entry.channel());
            channel.foldedLastAt = Math.max(channel.foldedLastAt, entry.occurredAt());
            Reasons.insert(folded, entry, relationship);
            if (entry.isValenced()) {
                foldedValencedAt = Math.max(foldedValencedAt, entry.occurredAt());
            }
        }
    }

    private ChannelSum channel(Channel channel) {
        int at = 0;
        for (; at < channels.size(); at++) {
            ChannelSum row = channels.get(at);
            if (row.channel == channel) {
                return row;
            }
            if (row.channel.ordinal() > channel.ordinal()) {
                break;
            }
        }
        ChannelSum row = new ChannelSum(channel);
        channels.add(at, row);
        return row;
    }

    /** Whether a score record is due: a number moved by at least 0.01 since the last one, or one came or went. */
    public boolean isDue(Score score) {
        if (version == 0 || score.touchpoints() != publishedTouchpoints) {
            return true;
        }
        double[] numbers = score.published();
        for (int at = 0; at < numbers.length; at++) {
            boolean absent = Double.isNaN(numbers[at]);
            // Half a unit of the sixth decimal keeps a difference of exactly 0.01 above the limit.
            if (absent != Double.isNaN(published[at])
                    || !absent && Math.abs(numbers[at] - published[at]) >= Model.MOVE - 5e-7) {
                return true;
            }
        }
        return false;
    }

    /** Notes that a score was published; returns the version of that record. */
    public long markPublished(Score score) {
        published = score.published();
        publishedTouchpoints = score.touchpoints();
        return ++version;
    }
}
