import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;

/**
 * A member of a group that tells what it is assigned and what it reads: arguments and lines as of group_member.py.
 */
public class GroupMember {
  private static synchronized void tell(String what, String value) {
    System.out.println("{\"at\":" + System.currentTimeMillis() + ",\"" + what + "\":" + value + "}");
    System.out.flush();
  }

  private static String numbers(Collection<TopicPartition> partitions) {
    return partitions.stream().map(one -> String.valueOf(one.partition())).collect(Collectors.joining(",", "[", "]"));
  }

  private static Properties properties(String bootstrap, String group, String protocol) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", bootstrap);
    properties.put("group.id", group);
    properties.put("group.protocol", protocol);
    properties.put("client.id", "member");
    properties.put("auto.offset.reset", "earliest");
    properties.put("enable.auto.commit", "false");
    properties.put("metadata.max.age.ms", "1000");
    properties.put("max.poll.records", "200");
    properties.put("key.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
    properties.put("value.deserializer", "org.apache.kafka.common.serialization.ByteArrayDeserializer");
    if (protocol.equals("classic")) {
      properties.put("session.timeout.ms", "6000");
      properties.put("heartbeat.interval.ms", "500");
      properties.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
    }
    return properties;
  }

  public static void main(String[] args) throws Exception {
    Thread main = Thread.currentThread();
    KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(properties(args[0], args[1], args[3]));
    boolean[] ending = {false};
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      ending[0] = true;
      consumer.wakeup();
      try {
        main.join(10_000);
      } catch (InterruptedException error) {
        Thread.currentThread().interrupt();
      }
    }));
    ConsumerRebalanceListener listener = new ConsumerRebalanceListener() {
      @Override
      public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        tell("assigned", numbers(partitions));
      }

      @Override
      public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        tell("revoked", numbers(partitions));
      }
    };
    String topic = args[2];
    if (!topic.startsWith("^")) consumer.subscribe(List.of(topic), listener);
    else if (args[3].equals("consumer")) consumer.subscribe(new SubscriptionPattern(topic), listener);
    else consumer.subscribe(Pattern.compile(topic), listener);
    try {
      while (!ending[0]) {
        StringBuilder read = new StringBuilder();
        for (ConsumerRecord<byte[], byte[]> one : consumer.poll(Duration.ofMillis(200))) {
          read.append(read.isEmpty() ? "" : ",").append("[").append(one.partition()).append(",").append(one.offset()).append("]");
        }
        if (read.isEmpty()) continue;
        tell("read", "[" + read + "]");
        try {
          consumer.commitSync();
        } catch (WakeupException error) {
          throw error;
        } catch (RuntimeException error) {
          // Fenced meanwhile: others read these again.
          tell("failed", "\"" + error.getClass().getSimpleName() + "\"");
        }
      }
    } catch (WakeupException error) {
      // The process is told to end.
    } finally {
      consumer.close();
      tell("closed", "true");
    }
  }
}
