package throughline.peers.job;

import java.util.Arrays;
import java.util.List;

/** The five touchpoints that matter most to the relationship score. */
final class Reasons {
    private Reasons() {}

    /** Puts an entry at its place among the strongest, if it is one of them. */
    static void insert(List<Entry> strongest, Entry entry, Decayed relationship) {
        if (entry.valence() == 0) {
            return;
        }
        double decayed = Math.abs(entry.weighted() * relationship.factor(entry.occurredAt()));
        int at = 0;
        while (at < strongest.size() && !isStronger(entry, decayed, strongest.get(at), relationship)) {
            at++;
        }
        if (at < Model.REASONS_MAX) {
            strongest.add(at, entry);
            if (strongest.size() > Model.REASONS_MAX) {
                strongest.remove(Model.REASONS_MAX);
            }
        }
    }

    /** Ties: the later one, then the smaller id. */
    private static boolean isStronger(Entry entry, double decayed, Entry other, Decayed relationship) {
        double held = Math.abs(other.weighted() * relationship.factor(other.occurredAt()));
        if (decayed != held) {
            return decayed > held;
        }
        if (entry.occurredAt() != other.occurredAt()) {
            return entry.occurredAt() > other.occurredAt();
        }
        return Arrays.compareUnsigned(entry.id(), other.id()) < 0;
    }
}
