package throughline.peers.flink;

import org.apache.flink.api.common.serialization.SerializerConfig;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import throughline.peers.job.Touchpoint;

/** Tells Flink to carry touchpoints by their own encoding. */
final class TouchpointType extends TypeInformation<Touchpoint> {
    @Override
    public boolean isBasicType() {
        return false;
    }

    @Override
    public boolean isTupleType() {
        return false;
    }

    @Override
    public int getArity() {
        return 1;
    }

    @Override
    public int getTotalFields() {
        return 1;
    }

    @Override
    public Class<Touchpoint> getTypeClass() {
        return Touchpoint.class;
    }

    @Override
    public boolean isKeyType() {
        return false;
    }

    @Override
    public TypeSerializer<Touchpoint> createSerializer(SerializerConfig config) {
        return TouchpointSerializer.INSTANCE;
    }

    @Override
    public String toString() {
        return "Touchpoint";
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TouchpointType;
    }

    @Override
    public int hashCode() {
        return TouchpointType.class.hashCode();
    }

    @Override
    public boolean canEqual(Object other) {
        return other instanceof TouchpointType;
    }
}
