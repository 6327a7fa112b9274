// SPDX-License-Identifier: Apache-2.0

package remote

// BucketOf opens a bucket for tests that fill one.
var BucketOf = bucketOf
