package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

var telling sync.Mutex

func tell(what string, value any) {
	tellAll(map[string]any{what: value})
}

func tellAll(values map[string]any) {
	telling.Lock()
	defer telling.Unlock()
	values["at"] = float64(time.Now().UnixMicro()) / 1000
	line, _ := json.Marshal(values)
	fmt.Println(string(line))
}

func tellAssigned(_ context.Context, client *kgo.Client, topics map[string][]int32) {
	_, generation := client.GroupMetadata()
	for _, partitions := range topics {
		tellAll(map[string]any{"assigned": partitions, "generation": generation})
	}
}

func tellRevoked(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
	for _, partitions := range topics {
		tell("revoked", partitions)
	}
}

// runs are [partition, first, last] of offsets that follow each other; next is where each partition goes on.
func runs(fetches kgo.Fetches) (found [][]int64, next [][]int64) {
	fetches.EachPartition(func(partition kgo.FetchTopicPartition) {
		records := partition.Records
		for at, record := range records {
			if at > 0 && records[at-1].Offset+1 == record.Offset {
				found[len(found)-1][2] = record.Offset
			} else {
				found = append(found, []int64{int64(record.Partition), record.Offset, record.Offset})
			}
		}
		if len(records) > 0 {
			next = append(next, []int64{int64(partition.Partition), records[len(records)-1].Offset + 1})
		}
	})
	return found, next
}

// member joins a group and tells what it is assigned and what it reads: arguments and lines as of group_member.py.
func member(bootstrap, group, topic, protocol string) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	options := []kgo.Opt{
		kgo.SeedBrokers(bootstrap),
		kgo.ClientID("member"),
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.MetadataMaxAge(time.Second),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.OnPartitionsAssigned(tellAssigned),
		kgo.OnPartitionsRevoked(tellRevoked),
		kgo.OnPartitionsLost(tellRevoked),
		// What was polled is told and committed before any of it is given to another member.
		kgo.BlockRebalanceOnPoll(),
	}
	if topic[0] == '^' {
		options = append(options, kgo.ConsumeRegex())
	}
	if protocol == "consumer" {
		options = append(options, kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))
	} else {
		options = append(options, kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	for ctx.Err() == nil {
		read, next := runs(client.PollRecords(ctx, 1000))
		if len(read) > 0 {
			tell("read", read)
			if err := client.CommitUncommittedOffsets(context.Background()); err != nil {
				tell("failed", err.Error())
			} else {
				tell("committed", next)
			}
		}
		client.AllowRebalance()
	}
	client.CloseAllowingRebalance()
	tell("closed", true)
}
